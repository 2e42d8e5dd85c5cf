/** Tensors by name, flattened, for code that ignores shapes. */
import type { Tensor } from "../../runtime/index.ts";

export type TensorValues = Map<string, Float32Array>;

/** The data of float32 tensors, shared and not copied. */
export const dataOf = (tensors: ReadonlyMap<string, Tensor>): TensorValues =>
  new Map([...tensors].map(([name, { data }]) => [name, data as Float32Array]));

/** Adds `factor` times `more` to `sum`, including names that `sum` lacks. */
export function accumulate(sum: TensorValues, more: ReadonlyMap<string, Float32Array>, factor: number): void {
  for (const [name, data] of more) {
    const into = sum.get(name) ?? new Float32Array(data.length);
    sum.set(name, into);
    for (let i = 0; i < data.length; i++) into[i] = into[i]! + factor * data[i]!;
  }
}
