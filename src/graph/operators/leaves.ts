/** Where values come from: inputs of a run, weights in files, constants. */

import type { DType, TensorRef } from "../../bytes/tensor-ref.ts";
import type { Shape } from "../dim.ts";
import { apply, type Operator, type Value } from "../value.ts";

const inputOperator: Operator<{ name: string; dtype: DType; shape: Shape }> = {
  name: "input",
  infer: (_, { shape, dtype }) => ({ shape, dtype }),
  emit: (to, _, { name, dtype, shape }) => to.input(name, dtype, shape),
  gradient: () => [],
};

/** A tensor given at each run. */
export const input = (name: string, shape: Shape, dtype: DType = "float32"): Value =>
  apply(inputOperator, [], { name, dtype, shape });

const parameterOperator: Operator<{ ref: TensorRef; inPlace: boolean }> = {
  name: "parameter",
  infer: (_, { ref }) => ({ shape: ref.shape, dtype: "float32" }),
  // The Cast of a half-precision weight is folded into a float32 copy when the session is built.
  emit: (to, _, { ref, inPlace }) =>
    ref.dtype === "float32" ? to.external(ref, inPlace) : to.node("Cast", [to.external(ref)], { to: 1 }),
  gradient: () => [],
};

/** Whether `value` is a weight that the runtime is to leave where it lies. */
export const liesInPlace = ({ operator, attributes }: Value): boolean =>
  operator === parameterOperator && (attributes as { inPlace: boolean }).inPlace;

/**
 * A weight that stays in its file; float32 in the graph whatever the file stores.
 *
 * `inPlace` keeps the runtime from copying it into a layout of its own.
 */
export const parameter = (ref: TensorRef, options: { inPlace?: boolean | undefined } = {}): Value =>
  apply(parameterOperator, [], { ref, inPlace: options.inPlace ?? false });

const constantOperator: Operator<{ shape: readonly number[]; dtype: DType; data: Uint8Array }> = {
  name: "constant",
  infer: (_, { shape, dtype }) => ({ shape, dtype }),
  emit: (to, _, { dtype, shape, data }) => to.constant(dtype, shape, data),
  gradient: () => [],
};

/** A float32 constant. */
export const constant = (shape: readonly number[], values: Float32Array | readonly number[]): Value =>
  apply(constantOperator, [], {
    shape,
    dtype: "float32",
    data: bytesOf(values instanceof Float32Array ? values : Float32Array.from(values)),
  });

export const integers = (shape: readonly number[], values: readonly number[]): Value =>
  apply(constantOperator, [], { shape, dtype: "int32", data: bytesOf(Int32Array.from(values)) });

const bytesOf = (values: Float32Array | Int32Array): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
