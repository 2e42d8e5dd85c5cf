/** Tensors by name, flat, where their shapes do not matter. */
import type { Tensor } from "../../runtime/index.ts";

export type TensorValues = Map<string, Float32Array>;

/** What float32 tensors hold, not copied: a change to one is a change to the other. */
export const dataOf = (tensors: ReadonlyMap<string, Tensor>): TensorValues =>
  new Map([...tensors].map(([name, { data }]) => [name, data as Float32Array]));

/** Adds `more`, times `factor`, to `sum`; names that `sum` lacks are taken in. */
export function accumulate(sum: TensorValues, more: ReadonlyMap<string, Float32Array>, factor: number): void {
  for (const [name, data] of more) {
    const into = sum.get(name) ?? new Float32Array(data.length);
    sum.set(name, into);
    for (let i = 0; i < data.length; i++) into[i] = into[i]! + factor * data[i]!;
  }
}
