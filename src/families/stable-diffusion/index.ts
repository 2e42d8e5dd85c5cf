/** Stable Diffusion 1.x and 2.x: a U-Net on AutoencoderKL latents, conditioned on one CLIP text encoder. */
import { TillerError } from "../../errors/index.ts";
import { clipTextConfig } from "../../models/clip-text.ts";
import { recorded } from "../../models/recorded.ts";
import { crossAttentions, textKeysValues, type UNetConfig, unet, unetConfig } from "../../models/unet.ts";
import { parseConfig } from "../../samplers/index.ts";
import { variancePreserving } from "../../schedules/variance-preserving.ts";
import type { Component, DenoiserSide, Family, FamilyDefaults, LatentCodec, Model, ModelFiles } from "../family.ts";
import { latentCodec } from "../latent-diffusion/autoencoder.ts";
import { float32Layers } from "../latent-diffusion/float32-layers.ts";
import { inpaints } from "../latent-diffusion/inpainting.ts";
import { picturesAtOnce } from "../latent-diffusion/pictures-at-once.ts";
import { presentClipKeys, presentVaeKeys } from "../latent-diffusion/spelling.ts";
import { unetBlocks } from "../latent-diffusion/unet-blocks.ts";
import { adapterNames } from "./adapter-names.ts";
import { editingDefaults, publishedOmegas, usualDefaults } from "./defaults.ts";
import { isLdm, splitLdm } from "./ldm.ts";
import { textSide } from "./text.ts";

/** StableDiffusionPipeline, and pipelines that differ from it only in the sampling loop. */
const classes = [
  "StableDiffusionPipeline",
  "StableDiffusionImg2ImgPipeline",
  "StableDiffusionInpaintPipeline",
  "StableDiffusionInstructPix2PixPipeline",
  "StableDiffusionSAGPipeline",
  "StableDiffusionPAGPipeline",
  "StableDiffusionPanoramaPipeline",
  "StableDiffusionAttendAndExcitePipeline",
  "StableDiffusionPipelineSafe",
];

const latentsKernel = "conv_in.weight";

export const stableDiffusion: Family = {
  name: "Stable Diffusion",
  runs: "StableDiffusionPipeline (SD 1.x and 2.x) and StableDiffusionInstructPix2PixPipeline",
  classes,
  parts: {
    unet: { classes: ["UNet2DConditionModel"], check: drawsLatents, widened: latentsKernel },
    vae: { classes: ["AutoencoderKL"], keys: presentVaeKeys },
    text_encoder: { classes: ["CLIPTextModel", "CLIPTextModelWithProjection"], keys: presentClipKeys },
  },
  singleFile: { recognises: isLdm, split: splitLdm },
  model,
};

/** Refuses U-Nets with other inputs than latents, with or without a picture. */
function drawsLatents({ config: { in_channels = 4, out_channels = 4 } }: Component, folder: string): void {
  if (in_channels === out_channels || seenBy(Number(in_channels), Number(out_channels))) return;
  throw new TillerError(
    "model-unsupported",
    `${folder} has a U-Net with ${in_channels} input and ${out_channels} output channels, like upscalers; Tiller runs ` +
      `text-to-image, inpainting and InstructPix2Pix models.`,
    { paths: [folder] },
  );
}

/**
 * What a U-Net is given beside the latents, by its channels: an inpainting one the mask and the masked picture's latents, an
 * InstructPix2Pix one the picture's.
 */
const seenBy = (channels: number, latents: number): DenoiserSide["sees"] =>
  inpaints({ in_channels: channels, out_channels: latents })
    ? "masked picture"
    : channels === 2 * latents
      ? "picture"
      : undefined;

function model({ defaults, ...files }: ModelFiles): Model {
  const { components } = files;
  const config = unetConfig(components.get("unet")!.config);
  if (config.addition_embed_type != null) {
    throw new TillerError(
      "config-unsupported",
      `${files.name} has a U-Net with addition_embed_type "${config.addition_embed_type}", as in SDXL, but is not a StableDiffusionXLPipeline.`,
      { paths: [files.name] },
    );
  }
  const encoder = components.get("text_encoder")!;
  const latents = latentCodec(components.get("vae")!);
  const sees = seenBy(config.in_channels, config.out_channels);
  return {
    ...files,
    family: stableDiffusion.name,
    text: textSide(encoder, clipTextConfig(encoder.config), files.promptTokens),
    denoiser: {
      channels: config.out_channels,
      ...(sees && { sees }),
      prepare: (modules) => recorded("U-Net", () => textKeysValues(modules("unet"), config)),
      predict: (modules, attention) => recorded("U-Net", () => unet(modules("unet"), config, attention)),
      float32: float32Layers,
      blocks: unetBlocks,
      picturesAtOnce,
    },
    latents,
    schedule: variancePreserving(parseConfig("ddim", files.scheduler)),
    defaults: { ...defaultsOf(config, latents), ...(sees === "picture" && editingDefaults), ...defaults },
    training: { weightDecay: 1e-2 },
    steered: ["unet", "text_encoder"],
    widened: { unet: latentsKernel },
    adapters: adapterNames(crossAttentions(config)),
  };
}

function defaultsOf(config: UNetConfig, { pixelsPerLatent: pixels }: LatentCodec): FamilyDefaults {
  const { sample_size: size } = config;
  const [height, width] = typeof size === "object" && size !== null ? size : [size ?? 64, size ?? 64];
  return {
    ...usualDefaults,
    omegas: publishedOmegas(config),
    width: width! * pixels,
    height: height! * pixels,
    sideMultiple: pixels,
  };
}
