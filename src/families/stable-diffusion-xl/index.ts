/** Stable Diffusion XL: a U-Net on AutoencoderKL latents, conditioned on two CLIP text encoders, sizes and a crop. */
import { TillerError } from "../../errors/index.ts";
import { clipTextConfig } from "../../models/clip-text.ts";
import { recorded } from "../../models/recorded.ts";
import { addedEmbedding, textKeysValues, type UNetConfig, unet, unetConfig } from "../../models/unet.ts";
import { parseConfig } from "../../samplers/index.ts";
import { variancePreserving } from "../../schedules/variance-preserving.ts";
import type { Component, Family, FamilyDefaults, LatentCodec, Model, ModelFiles } from "../family.ts";
import { latentCodec } from "../latent-diffusion/autoencoder.ts";
import { float32Layers } from "../latent-diffusion/float32-layers.ts";
import { inpaints, latentsOf } from "../latent-diffusion/inpainting.ts";
import { picturesAtOnce } from "../latent-diffusion/pictures-at-once.ts";
import { presentClipKeys, presentVaeKeys } from "../latent-diffusion/spelling.ts";
import { unetBlocks } from "../latent-diffusion/unet-blocks.ts";
import { adapterNames } from "./adapter-names.ts";
import { isSdxl, splitSdxl } from "./ldm.ts";
import { timeIds } from "./sizes.ts";
import { textSide } from "./text.ts";

export const stableDiffusionXl: Family = {
  name: "Stable Diffusion XL",
  runs: "StableDiffusionXLPipeline (SDXL)",
  classes: [
    "StableDiffusionXLPipeline",
    "StableDiffusionXLImg2ImgPipeline",
    "StableDiffusionXLInpaintPipeline",
    "StableDiffusionXLPAGPipeline",
  ],
  parts: {
    unet: { classes: ["UNet2DConditionModel"], check: drawsLatents },
    vae: { classes: ["AutoencoderKL"], keys: presentVaeKeys },
    text_encoder: { classes: ["CLIPTextModel", "CLIPTextModelWithProjection"], keys: presentClipKeys },
    text_encoder_2: { classes: ["CLIPTextModelWithProjection"], keys: presentClipKeys },
  },
  tokenizers: ["tokenizer", "tokenizer_2"],
  singleFile: { recognises: isSdxl, split: splitSdxl },
  check: notRefiner,
  model,
};

/** The refiner has the classes of the base, without its first text encoder. */
function notRefiner({ requires_aesthetics_score: refiner }: Readonly<Record<string, unknown>>, folder: string): void {
  if (refiner !== true) return;
  throw new TillerError(
    "model-unsupported",
    `${folder} is the SDXL refiner, which Tiller does not run: pass the base model.`,
    { paths: [folder] },
  );
}

function drawsLatents({ config: { in_channels: channels, out_channels = 4 } }: Component, folder: string): void {
  if (channels === undefined || channels === out_channels) return;
  if (inpaints({ in_channels: Number(channels), out_channels: Number(out_channels) })) return;
  const task = channels === 8 ? "an SDXL editing model" : "another model";
  throw new TillerError(
    "model-unsupported",
    `${folder} is ${task} (its U-Net has ${channels} input and ${out_channels} output channels); Tiller runs SDXL's text-to-image and inpainting models.`,
    { paths: [folder] },
  );
}

function model({ defaults, ...files }: ModelFiles): Model {
  const { components } = files;
  const config = unetConfig(components.get("unet")!.config);
  if (config.addition_embed_type !== "text_time" || config.addition_time_embed_dim == null) {
    throw new TillerError(
      "config-unsupported",
      `${files.name} has a U-Net without SDXL's conditions: its config.json needs addition_embed_type "text_time" and addition_time_embed_dim.`,
      { paths: [files.name] },
    );
  }
  const encoders = [components.get("text_encoder")!, components.get("text_encoder_2")!] as const;
  const vae = components.get("vae")!;
  // SDXL's own autoencoder overflows float16; those that were mended say so.
  const latents = latentCodec(vae, { wide: vae.config.force_upcast !== false });
  const zeros = files.index?.force_zeros_for_empty_prompt !== false;
  return {
    ...files,
    family: stableDiffusionXl.name,
    text: textSide({
      components: encoders,
      configs: [clipTextConfig(encoders[0].config), clipTextConfig(encoders[1].config)],
      promptTokens: files.promptTokens,
      zeros,
    }),
    denoiser: {
      ...latentsOf(config),
      conditions: timeIds,
      prepare: (modules) =>
        recorded("U-Net", () => ({
          ...textKeysValues(modules("unet"), config),
          ...addedEmbedding(modules("unet"), config),
        })),
      predict: (modules, attention) => recorded("U-Net", () => unet(modules("unet"), config, attention)),
      float32: float32Layers,
      blocks: unetBlocks,
      picturesAtOnce,
    },
    latents,
    schedule: variancePreserving(parseConfig("ddim", files.scheduler)),
    defaults: { ...defaultsOf(config, latents, zeros), ...defaults },
    training: { weightDecay: 1e-4 },
    steered: ["unet", "text_encoder", "text_encoder_2"],
    adapters: adapterNames(config, clipTextConfig(encoders[0].config)),
  };
}

/** StableDiffusionXLPipeline's defaults. */
function defaultsOf(
  { sample_size: size }: UNetConfig,
  { pixelsPerLatent: pixels }: LatentCodec,
  zeros: boolean,
): FamilyDefaults {
  const [height, width] = typeof size === "object" && size !== null ? size : [size ?? 128, size ?? 128];
  return {
    sampler: "euler",
    steps: 50,
    scale: 5,
    ...(!zeros && { negative: "" }),
    guidance: "cfg",
    personalised: "pg",
    omega: 0.6,
    omegas: {},
    width: width! * pixels,
    height: height! * pixels,
    sideMultiple: pixels,
  };
}
