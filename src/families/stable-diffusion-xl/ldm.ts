/** Single-file checkpoints of SDXL, with the key names of the original code. */

import { readBytes, type Safetensors } from "../../bytes/safetensors.ts";
import { sourceOf } from "../../bytes/source.ts";
import { bytesPerElement, type TensorRef } from "../../bytes/tensor-ref.ts";
import { TillerError } from "../../errors/index.ts";
import type { Checkpoint } from "../../weights/checkpoint.ts";
import type { SplitComponent, SplitFile } from "../family.ts";
import { predictionTold, refuseEdm } from "../latent-diffusion/ldm-prediction.ts";
import { under } from "../latent-diffusion/ldm-shapes.ts";
import { ldmClip, ldmOpenClip } from "../latent-diffusion/ldm-text.ts";
import { ldmUnet } from "../latent-diffusion/ldm-unet.ts";
import { ldmVae } from "../latent-diffusion/ldm-vae.ts";
import { ldmSettings } from "../latent-diffusion/ldm-yaml.ts";

/** The repository with SDXL's two tokenizers. */
const tokenizers = ["stabilityai/stable-diffusion-xl-base-1.0"];

const size = 1024;

/** Whether it has SDXL's text encoders, or the refiner's. */
export const isSdxl = (tensors: Checkpoint): boolean =>
  [...tensors.keys()].some((key) => key.startsWith("conditioner.embedders."));

/**
 * Splits a single file into its components. What the network predicts is decided by the .yaml beside it, the tensor with which
 * trainers mark velocity (`v_pred`), and the file's metadata, in this order; else it is noise. A file marked `ztsnr` was trained to
 * zero terminal SNR; its schedule then starts at the last timestep (trailing), where SDXL's own never goes.
 *
 * @param file For messages.
 * @param yaml The text of the .yaml beside it.
 * @throws TillerError if it is another kind of model, naming it, or if parts are missing.
 */
export async function splitSdxl({ tensors, metadata }: Safetensors, file: string, yaml = ""): Promise<SplitFile> {
  const unet = under(tensors, "model.diffusion_model.");
  const task = nameOtherSdxl(tensors, unet);
  if (task)
    throw new TillerError("model-unsupported", `${file} is ${task}; Tiller runs SDXL's text-to-image models.`, {
      paths: [file],
    });
  refuseEdm(tensors, file);
  const firstStage = under(tensors, "first_stage_model.");
  const parts = {
    "U-Net (model.diffusion_model.*)": unet,
    "autoencoder (first_stage_model.*)": firstStage.size > 0 ? firstStage : under(tensors, "vae."),
    "first text encoder (conditioner.embedders.0.transformer.*)": under(
      tensors,
      "conditioner.embedders.0.transformer.",
    ),
    "second text encoder (conditioner.embedders.1.model.*)": under(tensors, "conditioner.embedders.1.model."),
  };
  const missing = Object.entries(parts).find(([, keys]) => keys.size === 0);
  if (missing) {
    throw new TillerError("model-incomplete", `${file} has no ${missing[0]}: pass a complete checkpoint.`, {
      paths: [file],
    });
  }
  const [, vae, first, second] = Object.values(parts) as [Checkpoint, Checkpoint, Checkpoint, Checkpoint];
  const denoiser = ldmUnet(unet, file);
  const autoencoder = ldmVae(vae, file, { sample_size: size, scaling_factor: 0.13025 });
  const downscale = 2 ** ((autoencoder.derived.block_out_channels as readonly number[]).length - 1);
  const encoder = await withProjection(ldmOpenClip(second, file, "all"), second, file);
  const settings = ldmSettings(yaml, file);
  const told = settings.prediction ?? (await predictionTold(tensors, metadata, 1));
  return {
    tokenizers,
    components: new Map([
      ["unet", withConditions(denoiser, encoder, Math.floor(size / downscale))],
      ["vae", { ...autoencoder, config: { ...autoencoder.config, force_upcast: true, ...settings.vae } }],
      ["text_encoder", ldmClip(first, file)],
      ["text_encoder_2", encoder],
    ]),
    scheduler: {
      _class_name: "EulerDiscreteScheduler",
      num_train_timesteps: 1000,
      beta_schedule: "scaled_linear",
      beta_start: 0.00085,
      beta_end: 0.012,
      clip_sample: false,
      interpolation_type: "linear",
      set_alpha_to_one: false,
      steps_offset: 1,
      timestep_spacing: "leading",
      use_karras_sigmas: false,
      prediction_type: told ?? "epsilon",
      ...(tensors.has("ztsnr") && { rescale_betas_zero_snr: true, timestep_spacing: "trailing" }),
      ...settings.scheduler,
    },
    predictionTold: told !== undefined,
    warnings: [],
  };
}

/**
 * What the file is instead, if it is not SDXL's text-to-image model.
 *
 * @param unet Keys without `model.diffusion_model.`.
 */
export function nameOtherSdxl(tensors: Checkpoint, unet: Checkpoint): string | undefined {
  for (const key of tensors.keys()) {
    if (key.startsWith("conditioner.embedders.0.model.")) return "the SDXL refiner";
    if (/^control_model\.|^controlnet_/.test(key)) return "an SDXL ControlNet";
  }
  const channels = unet.get("input_blocks.0.0.weight")?.shape[1];
  if (channels === 9) return "an SDXL inpainting model (its U-Net takes 9 channels)";
  if (channels === 8) return "an SDXL editing model (its U-Net takes 8 channels)";
  return channels === undefined || channels === 4 ? undefined : `a model whose U-Net takes ${channels} channels`;
}

/** The U-Net's config with SDXL's conditions: the pooled text, and six sinusoids whose width the rest of the matrix shows. */
function withConditions(unet: SplitComponent, encoder: SplitComponent, sampleSize: number): SplitComponent {
  const width = unet.weights.get("add_embedding.linear_1.weight")?.shape[1] ?? 0;
  const derived = {
    ...unet.derived,
    addition_time_embed_dim: (width - Number(encoder.derived.projection_dim)) / 6,
    projection_class_embeddings_input_dim: width,
  };
  const config = { ...unet.config, ...derived, addition_embed_type: "text_time", sample_size: sampleSize };
  return { ...unet, derived, config };
}

/** The encoder with its projection, which OpenCLIP stores as [width, projection size]. */
async function withProjection(encoder: SplitComponent, ldm: Checkpoint, file: string): Promise<SplitComponent> {
  const stored = ldm.get("text_projection");
  if (stored?.shape.length !== 2) {
    throw new TillerError("tensor-missing", `${file} is incomplete: it has no tensor for text_projection.weight.`, {
      paths: [file],
    });
  }
  const projection = { projection_dim: stored.shape[1]! };
  return {
    weights: new Map([...encoder.weights, ["text_projection.weight", await transposed(stored)]]),
    derived: { ...encoder.derived, ...projection },
    config: { ...encoder.config, ...projection, architectures: ["CLIPTextModelWithProjection"] },
  };
}

/** A matrix transposed in memory. */
async function transposed(ref: TensorRef): Promise<TensorRef> {
  const [rows, columns] = ref.shape as [number, number];
  const size = bytesPerElement[ref.dtype];
  const stored = await readBytes(ref);
  const bytes = new Uint8Array(stored.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const from = (row * columns + column) * size;
      bytes.set(stored.subarray(from, from + size), (column * rows + row) * size);
    }
  }
  return { ...ref, source: sourceOf(ref.source.name, bytes), offset: 0, shape: [columns, rows] };
}
