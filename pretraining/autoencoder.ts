/** Stage 1: the autoencoder, 128 x 128 pixels to 4 x 16 x 16 latents. */
import {
  add,
  clamp,
  exp,
  input,
  mean,
  multiply,
  slice,
  square,
  subtract,
  symbol,
  type Value,
} from "../src/graph/index.ts";
import { autoencoderConfig, autoencoderDecode, autoencoderEncode } from "../src/models/autoencoder-kl.ts";
import { moduleOf } from "../src/models/module.ts";
import { normalValues } from "../src/random/streams.ts";
import { float32 } from "../src/runtime/index.ts";
import { side } from "../src/world/render.ts";
import { blankAutoencoder } from "./blank-autoencoder.ts";
import { planesOfSamples, worldSample } from "./sampling.ts";
import { openWeights, type Stage } from "./stage.ts";

/** Diffusers' config.json; the latents are normalised after training, so no scaling factor is needed. */
const config = {
  _class_name: "AutoencoderKL",
  in_channels: 3,
  out_channels: 3,
  latent_channels: 4,
  sample_size: side,
  block_out_channels: [16, 32, 64, 128],
  layers_per_block: 1,
  norm_num_groups: 8,
  down_block_types: Array(4).fill("DownEncoderBlock2D") as string[],
  up_block_types: Array(4).fill("UpDecoderBlock2D") as string[],
  act_fn: "silu",
  scaling_factor: 1,
};

const batch = 2;
const latents = [4, side / 8, side / 8] as const;
/** Weight of the KL divergence from the normal distribution: enough to keep the latents near it in scale. */
const divergenceWeight = 1e-5;

export const autoencoder: Stage = {
  folder: "vae",
  config,
  settings: {
    steps: 5000,
    accumulate: 1,
    learningRate: 1e-3,
    schedule: "cosine",
    warmup: 100,
    weightDecay: 1e-2,
    clip: 1,
  },
  averaging: 0.999,
  separable: true,
  start: () => blankAutoencoder(autoencoderConfig(config), 1),

  /** Inputs: `picture`, and `noise` for the latents. Mean squared error plus the KL divergence of the latents. */
  loss(values) {
    const parsed = autoencoderConfig(config);
    const module = moduleOf(openWeights(values), { open: new Set(values.keys()) });
    const picture = input("picture", [symbol("batch"), 3, side, side]);
    const moments = autoencoderEncode(module, parsed, picture).moments!;
    const centre = slice(moments, 1, 0, 4);
    const logVariance = clamp(slice(moments, 1, 4, 8), -30, 20);
    const noise = input("noise", [symbol("batch"), ...latents]);
    const sampled = add(centre, multiply(exp(multiply(logVariance, 0.5)), noise));
    const decoded = autoencoderDecode(module, parsed, sampled).picture!;
    const divergence: Value = mean(subtract(add(square(centre), exp(logVariance)), add(logVariance, 1)));
    return add(mean(square(subtract(decoded, picture))), multiply(divergence, 0.5 * divergenceWeight));
  },

  feeds(draw) {
    const samples = Array.from({ length: batch }, (_, i) => worldSample(draw * batch + i, "training"));
    const count = batch * latents[0] * latents[1] * latents[2];
    return {
      picture: float32([batch, 3, side, side], planesOfSamples(samples)),
      noise: float32([batch, ...latents], normalValues(1, "latents", draw, count)),
    };
  },
};
