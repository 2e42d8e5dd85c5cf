/** Tensors by name, flat, where their shapes do not matter. */
export type TensorValues = Map<string, Float32Array>;

/** Adds `more`, times `factor`, to `sum`; names that `sum` lacks are taken in. */
export function accumulate(sum: TensorValues, more: ReadonlyMap<string, Float32Array>, factor: number): void {
  for (const [name, data] of more) {
    const into = sum.get(name) ?? new Float32Array(data.length);
    sum.set(name, into);
    for (let i = 0; i < data.length; i++) into[i] = into[i]! + factor * data[i]!;
  }
}
