/** Leaves of the graph: inputs of a run, weights in files, constants. */

import { toFloat32 } from "../../bytes/elements.ts";
import type { DType, TensorRef } from "../../bytes/tensor-ref.ts";
import type { Shape } from "../dim.ts";
import { apply, type Operator, type Outputs, topological, type Value } from "../value.ts";

const inputOperator: Operator<{ name: string; dtype: DType; shape: Shape }> = {
  name: "input",
  computes: "float32",
  infer: (_, { shape, dtype }) => ({ shape, dtype }),
  emit: (to, _, { name, dtype, shape }) => to.input(name, dtype, shape),
  gradient: () => [],
};

/** An input, given at each run. */
export const input = (name: string, shape: Shape, dtype: DType = "float32"): Value =>
  apply(inputOperator, [], { name, dtype, shape });

interface Parameter {
  readonly ref: TensorRef;
  readonly inPlace: boolean;
  readonly int8: boolean;
}

const parameterOperator: Operator<Parameter> = {
  name: "parameter",
  computes: "real",
  yields: true,
  infer: (_, { ref }) => ({ shape: ref.shape, dtype: "float32" }),
  // A weight in its stored type stays in its file; a Cast is folded into a copy when the session is built.
  emit: (to, _, { ref, inPlace }) =>
    ref.dtype === to.type ? to.external(ref, inPlace) : to.cast(to.external(ref), ref.dtype, to.type),
  gradient: () => [],
};

/** Whether `value` is a weight that the runtime must use in place. */
export const liesInPlace = ({ operator, attributes }: Value): boolean =>
  operator === parameterOperator && (attributes as { inPlace: boolean }).inPlace;

/** The reference of a weight that may be int8; undefined for other values. */
export function mayBeInt8({ operator, attributes }: Value): TensorRef | undefined {
  if (operator !== parameterOperator) return undefined;
  const { ref, int8 } = attributes as Parameter;
  return int8 ? ref : undefined;
}

/** The stored tensor of a leaf that has one. */
const refOf = ({ operator, attributes }: Value): TensorRef | undefined =>
  operator === parameterOperator
    ? (attributes as Parameter).ref
    : operator === storedOperator
      ? (attributes as TensorRef)
      : undefined;

/** The stored tensors that a graph computes with, each once. */
export const weightsOf = (outputs: Outputs): TensorRef[] => [
  ...new Set(topological(Object.values(outputs)).flatMap((value) => refOf(value) ?? [])),
];

/**
 * A weight that stays in its file; floating point in the graph whatever type the file stores.
 *
 * `inPlace` keeps the runtime from copying it into another layout. `int8` allows targets to multiply with it in int8.
 */
export const parameter = (
  ref: TensorRef,
  { inPlace = false, int8 = false }: { inPlace?: boolean | undefined; int8?: boolean | undefined } = {},
): Value => apply(parameterOperator, [], { ref, inPlace, int8 });

const storedOperator: Operator<TensorRef> = {
  name: "stored",
  computes: "asInputs",
  infer: (_, { shape, dtype }) => ({ shape, dtype }),
  emit: (to, _, ref) => to.external(ref),
  gradient: () => [],
};

/** Integers that stay in their file. */
export const stored = (ref: TensorRef): Value => apply(storedOperator, [], ref);

const constantOperator: Operator<{ shape: readonly number[]; dtype: DType; data: Uint8Array }> = {
  name: "constant",
  computes: "float32",
  yields: true,
  infer: (_, { shape, dtype }) => ({ shape, dtype }),
  emit: (to, _, { dtype, shape, data }) =>
    dtype === "float32" ? to.numbers(shape, toFloat32(data, dtype)) : to.constant(dtype, shape, data),
  gradient: () => [],
};

/** A floating-point constant. */
export const constant = (shape: readonly number[], values: Float32Array | readonly number[]): Value =>
  apply(constantOperator, [], {
    shape,
    dtype: "float32",
    data: bytesOf(values instanceof Float32Array ? values : Float32Array.from(values)),
  });

export const integers = (shape: readonly number[], values: readonly number[]): Value =>
  apply(constantOperator, [], { shape, dtype: "int32", data: bytesOf(Int32Array.from(values)) });

/** An int8 constant. */
export const int8Constant = (shape: readonly number[], values: Int8Array): Value =>
  apply(constantOperator, [], { shape, dtype: "int8", data: bytesOf(values) });

const bytesOf = (values: Float32Array | Int32Array | Int8Array): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
