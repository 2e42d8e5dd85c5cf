/** SANA: a diffusion transformer with linear attention, on AutoencoderDC's latents, with a language model as text encoder. */
import { TillerError } from "../../errors/index.ts";
import { connect, input, multiply, symbol } from "../../graph/index.ts";
import { dcConfig, dcDecode, dcEncode, dcPixelsPerLatent } from "../../models/autoencoder-dc.ts";
import { gemma2Config } from "../../models/gemma2.ts";
import { type SanaConfig, sanaCaption, sanaConfig, sanaFloat32, sanaPredict } from "../../models/sana.ts";
import { noiseFormOf } from "../../samplers/config.ts";
import { flow } from "../../schedules/flow.ts";
import type { Component, DenoiserSide, Family, FamilyDefaults, LatentCodec, Model, ModelFiles } from "../family.ts";
import { adapterNames } from "./adapter-names.ts";
import { textSide } from "./text.ts";

export const sana: Family = {
  name: "SANA",
  runs: "SanaPipeline (SANA and SANA 1.5)",
  classes: ["SanaPipeline"],
  parts: {
    transformer: { classes: ["SanaTransformer2DModel"], check: predictsLatents },
    vae: { classes: ["AutoencoderDC"] },
    text_encoder: { classes: ["Gemma2Model", "Gemma2ForCausalLM"] },
  },
  model,
};

/** Refuses a transformer that also predicts variances, or takes further inputs: no published SANA does. */
function predictsLatents({ config }: Component, folder: string): void {
  const { in_channels, out_channels } = sanaConfig(config);
  if (in_channels === out_channels) return;
  throw new TillerError(
    "model-unsupported",
    `${folder} has a transformer of ${in_channels} input and ${out_channels} output channels; Tiller runs SANA only if the numbers are equal.`,
    { paths: [folder] },
  );
}

function model({ defaults, ...files }: ModelFiles): Model {
  const { components, scheduler, name } = files;
  const config = sanaConfig(components.get("transformer")!.config);
  const encoder = components.get("text_encoder")!;
  const latents = latentCodec(components.get("vae")!);
  if (noiseFormOf(scheduler) !== "flow" || (scheduler.prediction_type ?? "flow_prediction") !== "flow_prediction") {
    throw new TillerError(
      "scheduler-unsupported",
      `${name} is a SANA model, which predicts the flow, but its scheduler config has prediction_type ${JSON.stringify(scheduler.prediction_type)}; set "flow_prediction".`,
      { paths: [name] },
    );
  }
  return {
    ...files,
    family: sana.name,
    text: textSide(encoder, gemma2Config(encoder.config)),
    denoiser: denoiser(config),
    latents,
    schedule: flow(Number(scheduler.num_train_timesteps ?? 1000)),
    defaults: { ...defaultsOf(config, latents, scheduler), ...defaults },
    training: { weightDecay: 1e-4 },
    steered: ["transformer"],
    adapters: adapterNames(config),
  };
}

const denoiser = (config: SanaConfig): DenoiserSide => ({
  channels: config.in_channels,
  prepare: (modules) => sanaCaption(modules("transformer"), config),
  predict(modules) {
    const outputs = sanaPredict(modules("transformer"), config);
    if (config.timestep_scale === 1) return outputs;
    return connect(outputs, { timestep: multiply(input("timestep", [symbol("batch")]), config.timestep_scale) });
  },
  float32: { transformer: sanaFloat32 },
  blocks: { transformer: (path) => [thirdOf(path, config)] },
  picturesAtOnce: (rows, height, width) =>
    Math.min(16, Math.max(1, Math.floor((2 * 32 * 32) / (rows * height * width)))),
});

/** The third of the transformer that a path belongs to; what comes before and after its blocks counts with the first and last. */
function thirdOf(path: string, { num_layers: layers }: SanaConfig): "early" | "middle" | "late" {
  const [, block] = /^transformer_blocks\.(\d+)\./.exec(path) ?? [];
  if (block === undefined) return /^(proj_out\b|scale_shift_table$)/.test(path) ? "late" : "early";
  return (["early", "middle", "late"] as const)[Math.floor((3 * Number(block)) / layers)]!;
}

/** The codec of an AutoencoderDC, the component `vae`. Its encoder is deterministic. */
function latentCodec(vae: Component): LatentCodec {
  const config = dcConfig(vae.config);
  return {
    component: "vae",
    channels: config.latent_channels,
    pixelsPerLatent: dcPixelsPerLatent(config),
    // As in Diffusers: 512 pixels, and 448 from one tile to the next.
    tiles: { size: 512 / dcPixelsPerLatent(config), stride: 448 / dcPixelsPerLatent(config) },
    encode: (modules) => ({ encoded: dcEncode(modules("vae"), config).latents! }),
    random: false,
    sample: (encoded) => encoded.map((v) => v * config.scaling_factor),
    mean: (encoded) => encoded,
    unscaled: (latents) => latents.map((v) => v / config.scaling_factor),
    decode: (modules) => dcDecode(modules("vae"), config),
  };
}

/** SanaPipeline's defaults, and Steering Guidance's (table 1). */
function defaultsOf(
  { sample_size: size }: SanaConfig,
  { pixelsPerLatent: pixels }: LatentCodec,
  scheduler: ModelFiles["scheduler"],
): FamilyDefaults {
  return {
    sampler: String(scheduler._class_name).startsWith("FlowMatchEuler") ? "flow-euler" : "dpm++",
    steps: 20,
    scale: 4.5,
    negative: "",
    guidance: "cfg",
    personalised: "pg",
    omega: 0,
    omegas: {},
    width: size * pixels,
    height: size * pixels,
    sideMultiple: 32,
  };
}
