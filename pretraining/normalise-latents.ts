/**
 * Normalises the autoencoder's latents to mean 0 and standard deviation 1 per channel, as the noise schedule expects: the layers
 * next to the latents absorb shift and scale and undo them, so that pictures stay the same.
 */
import { join } from "node:path";
import { jsonObject, readJson } from "../src/bytes/json-file.ts";
import { normalValues } from "../src/random/streams.ts";
import { startEngine, type Tensor } from "../src/runtime/index.ts";
import { buildLatentEncoder } from "../src/training/objective/latents.ts";
import { type Checkpoint, openCheckpoint } from "../src/weights/checkpoint.ts";
import { side } from "../src/world/render.ts";
import { autoencoderOf } from "./open-network.ts";
import { readTensors } from "./read-tensors.ts";
import { planesOfSample, worldSample } from "./sampling.ts";
import { writeNetwork } from "./write-network.ts";

/** Pictures used to measure the latents. */
const pictures = 256;

/** Normalises the autoencoder in a folder; idempotent up to rounding. */
export async function normaliseLatents(folder: string): Promise<void> {
  const config = await readJson(join(folder, "config.json"), jsonObject);
  const weights = await openCheckpoint(folder);
  const statistics = await latentStatistics(config, weights);
  const tensors = await readTensors(weights);
  takeIn(tensors, statistics);
  await writeNetwork(folder, { config, tensors });
}

export interface ChannelStatistics {
  readonly mean: number;
  readonly deviation: number;
}

async function latentStatistics(config: Record<string, unknown>, weights: Checkpoint): Promise<ChannelStatistics[]> {
  const engine = await startEngine();
  try {
    const encoder = await buildLatentEncoder(
      engine,
      autoencoderOf({ config: { ...config, scaling_factor: 1 }, weights }),
    );
    const [channels, height, width] = encoder.shape(side);
    const size = height * width;
    const [sums, squares] = [new Float64Array(channels), new Float64Array(channels)];
    for (let i = 0; i < pictures; i++) {
      const moments = await encoder.encode({ size: side, data: planesOfSample(worldSample(i, "training")) });
      const latents = encoder.sample(moments, normalValues(5, "latents", i, channels * size));
      for (const [k, value] of latents.entries()) {
        const channel = Math.floor(k / size);
        sums[channel]! += value;
        squares[channel]! += value * value;
      }
    }
    const count = pictures * size;
    return Array.from(sums, (sum, c) => {
      const mean = sum / count;
      return { mean, deviation: Math.sqrt(squares[c]! / count - mean * mean) };
    });
  } finally {
    await engine.close();
  }
}

/** `quant_conv` ends the encoder with means and log variances, `post_quant_conv` begins the decoder; both are 1 x 1. */
export function takeIn(tensors: ReadonlyMap<string, Tensor>, statistics: readonly ChannelStatistics[]): void {
  const data = (name: string) => tensors.get(name)!.data as Float32Array;
  const [inWeight, inBias] = [data("quant_conv.weight"), data("quant_conv.bias")];
  const [outWeight, outBias] = [data("post_quant_conv.weight"), data("post_quant_conv.bias")];
  const channels = statistics.length;
  const inputs = inWeight.length / (2 * channels);
  for (const [c, { mean, deviation }] of statistics.entries()) {
    for (let i = 0; i < inputs; i++) inWeight[c * inputs + i]! /= deviation;
    inBias[c] = (inBias[c]! - mean) / deviation;
    inBias[channels + c]! -= 2 * Math.log(deviation);
    for (let o = 0; o < outBias.length; o++) {
      outBias[o]! += outWeight[o * channels + c]! * mean;
      outWeight[o * channels + c]! *= deviation;
    }
  }
}
