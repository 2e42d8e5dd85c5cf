/**
 * Untrained networks: the initial tensors of a config by the checkpoint's keys. Layers preserve the variance of their input, and
 * residual branches start small, so that signals pass through the whole depth from the first step on.
 */

import { normalValues, randomStream } from "../src/random/streams.ts";
import { float32, type Tensor } from "../src/runtime/index.ts";

/** Collects tensors; each depends only on the seed and its key. */
export interface Blank {
  readonly tensors: Map<string, Tensor>;
  /** Weight [out, in, kernel, kernel], uniform, of variance gain^2 / fan in; the bias is 0. */
  conv(key: string, out: number, width: number, kernel: number, gain?: number): void;
  linear(key: string, out: number, width: number, options?: { bias?: boolean; gain?: number }): void;
  /** Ones and zeros. */
  norm(key: string, width: number): void;
  /** Normal values of a standard deviation. */
  normal(key: string, shape: readonly number[], deviation: number): void;
}

export function blank(seed: number): Blank {
  const tensors = new Map<string, Tensor>();
  const uniform = (key: string, shape: readonly number[], bound: number): void => {
    const random = randomStream(seed, `start of ${key}`, 0);
    const count = shape.reduce((a, b) => a * b, 1);
    tensors.set(
      key,
      float32(
        shape,
        Float32Array.from({ length: count }, () => (2 * random.uniform() - 1) * bound),
      ),
    );
  };
  const weighted = (key: string, shape: readonly number[], bias: boolean, gain: number): void => {
    const fanIn = shape.slice(1).reduce((a, b) => a * b, 1);
    uniform(`${key}.weight`, shape, gain * Math.sqrt(3 / fanIn));
    if (bias) tensors.set(`${key}.bias`, float32(shape.slice(0, 1), new Float32Array(shape[0]!)));
  };
  return {
    tensors,
    conv: (key, out, width, kernel, gain = 1) => weighted(key, [out, width, kernel, kernel], true, gain),
    linear: (key, out, width, { bias = true, gain = 1 } = {}) => weighted(key, [out, width], bias, gain),
    norm(key, width) {
      tensors.set(`${key}.weight`, float32([width], new Float32Array(width).fill(1)));
      tensors.set(`${key}.bias`, float32([width], new Float32Array(width)));
    },
    normal(key, shape, deviation) {
      const count = shape.reduce((a, b) => a * b, 1);
      tensors.set(
        key,
        float32(
          shape,
          normalValues(seed, `start of ${key}`, 0, count).map((v) => v * deviation),
        ),
      );
    },
  };
}

/** The gain of a residual branch's last layer. */
export const branch = 0.1;

/** Diffusers' ResnetBlock2D; `time` is the width of the time embedding, absent in autoencoders. */
export function resnet(to: Blank, key: string, width: number, out: number, time?: number): void {
  to.norm(`${key}.norm1`, width);
  to.conv(`${key}.conv1`, out, width, 3);
  if (time !== undefined) to.linear(`${key}.time_emb_proj`, out, time);
  to.norm(`${key}.norm2`, out);
  to.conv(`${key}.conv2`, out, out, 3, branch);
  if (width !== out) to.conv(`${key}.conv_shortcut`, out, width, 1);
}
