/** Networks before training: the tensors of a config by the checkpoint's keys, filled as PyTorch fills its layers. */
import { float32, type Tensor } from "../../runtime/index.ts";
import { normalValues, randomStream } from "../../training/random.ts";

/** Collects tensors; each is a function of the seed and its key. */
export interface Blank {
  readonly tensors: Map<string, Tensor>;
  /** Weight [out, in, kernel, kernel] and bias, uniform within 1 / sqrt(fan in). */
  conv(key: string, out: number, width: number, kernel: number): void;
  linear(key: string, out: number, width: number, options?: { bias?: boolean }): void;
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
  const weighted = (key: string, shape: readonly number[], bias: boolean): void => {
    const bound = 1 / Math.sqrt(shape.slice(1).reduce((a, b) => a * b, 1));
    uniform(`${key}.weight`, shape, bound);
    if (bias) uniform(`${key}.bias`, shape.slice(0, 1), bound);
  };
  return {
    tensors,
    conv: (key, out, width, kernel) => weighted(key, [out, width, kernel, kernel], true),
    linear: (key, out, width, { bias = true } = {}) => weighted(key, [out, width], bias),
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

/** Diffusers' ResnetBlock2D; `time` is the width of the time embedding, absent in autoencoders. */
export function resnet(to: Blank, key: string, width: number, out: number, time?: number): void {
  to.norm(`${key}.norm1`, width);
  to.conv(`${key}.conv1`, out, width, 3);
  if (time !== undefined) to.linear(`${key}.time_emb_proj`, out, time);
  to.norm(`${key}.norm2`, out);
  to.conv(`${key}.conv2`, out, out, 3);
  if (width !== out) to.conv(`${key}.conv_shortcut`, out, width, 1);
}
