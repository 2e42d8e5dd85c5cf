/** Tensors as passed to and from the worker. */

export type TensorData = Float32Array | Int32Array;

export interface Tensor {
  readonly shape: readonly number[];
  readonly data: TensorData;
}

export const float32 = (shape: readonly number[], data: Float32Array | readonly number[]): Tensor => ({
  shape,
  data: data instanceof Float32Array ? data : Float32Array.from(data),
});

export const int32 = (shape: readonly number[], data: Int32Array | readonly number[]): Tensor => ({
  shape,
  data: data instanceof Int32Array ? data : Int32Array.from(data),
});

/** Concatenates tensors along the first axis; their other axes must be equal. */
export function stackRows(tensors: readonly Tensor[]): Tensor {
  const [first] = tensors;
  if (!first) throw new RangeError("nothing to stack");
  const data = new Float32Array(tensors.reduce((n, t) => n + t.data.length, 0));
  let at = 0;
  for (const t of tensors) {
    data.set(t.data, at);
    at += t.data.length;
  }
  return { shape: [tensors.reduce((n, t) => n + t.shape[0]!, 0), ...first.shape.slice(1)], data };
}

/** Row `index` of the first axis, as a tensor whose first axis is 1; shares memory. */
export function rowOf(tensor: Tensor, index: number): Tensor {
  const size = tensor.data.length / tensor.shape[0]!;
  return { shape: [1, ...tensor.shape.slice(1)], data: tensor.data.subarray(index * size, (index + 1) * size) };
}
