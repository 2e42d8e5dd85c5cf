/** AdamW (Loshchilov and Hutter, 2019), as PyTorch computes it. */
import type { TensorValues } from "./tensor-values.ts";

export interface AdamWOptions {
  readonly learningRate: number;
  readonly betas: readonly [number, number];
  readonly epsilon: number;
  readonly weightDecay: number;
}

/** Running means of the gradient and of its square, shaped as the tensors, and the number of steps taken. */
export interface AdamWState {
  readonly mean: TensorValues;
  readonly square: TensorValues;
  steps: number;
}

/** An optimiser step: updates `values` and `state` in place from `gradients`. */
export type Update = (
  values: TensorValues,
  gradients: TensorValues,
  state: AdamWState,
  options: AdamWOptions,
  /** The factor of a tensor's learning rate. */
  rateOf?: (name: string) => number,
) => void | Promise<void>;

export function newAdamWState(values: TensorValues): AdamWState {
  const zeros = () => new Map([...values].map(([name, data]) => [name, new Float32Array(data.length)]));
  return { mean: zeros(), square: zeros(), steps: 0 };
}

/** One step: changes `values` and `state` in place. `rateOf` scales a tensor's learning rate. */
export function adamWStep(
  values: TensorValues,
  gradients: TensorValues,
  state: AdamWState,
  { learningRate, betas: [beta1, beta2], epsilon, weightDecay }: AdamWOptions,
  rateOf: (name: string) => number = () => 1,
): void {
  state.steps++;
  const correction1 = 1 - beta1 ** state.steps;
  const correction2 = Math.sqrt(1 - beta2 ** state.steps);
  for (const [name, value] of values) {
    const rate = learningRate * rateOf(name);
    const kept = 1 - rate * weightDecay;
    const step = rate / correction1;
    const [g, m, v] = [gradients.get(name)!, state.mean.get(name)!, state.square.get(name)!];
    for (let i = 0; i < value.length; i++) {
      const gradient = g[i]!;
      m[i] = m[i]! + (gradient - m[i]!) * (1 - beta1);
      v[i] = v[i]! * beta2 + gradient * gradient * (1 - beta2);
      value[i] = value[i]! * kept - (step * m[i]!) / (Math.sqrt(v[i]!) / correction2 + epsilon);
    }
  }
}

/** The global norm of all gradients. */
export function gradientNorm(gradients: TensorValues): number {
  let sum = 0;
  for (const data of gradients.values()) for (let i = 0; i < data.length; i++) sum += data[i]! * data[i]!;
  return Math.sqrt(sum);
}

/** Clips gradients of global norm `norm` to at most `limit`, like PyTorch's clip_grad_norm_. */
export function clipGradients(gradients: TensorValues, norm: number, limit: number): void {
  const factor = limit / (norm + 1e-6);
  if (factor >= 1) return;
  for (const data of gradients.values()) for (let i = 0; i < data.length; i++) data[i] = data[i]! * factor;
}
