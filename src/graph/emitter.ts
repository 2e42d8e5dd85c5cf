/** The interface through which operators write their lowered form. */
import type { FloatDType } from "../bytes/elements.ts";
import type { DType, TensorRef } from "../bytes/tensor-ref.ts";
import type { Shape } from "./dim.ts";
import type { Target } from "./target.ts";

export type Attribute = number | { readonly float: number } | string | readonly number[];

export interface Emitter {
  readonly target: Target;
  /** The element type that the current operator computes in: that of its floating-point operands and result. */
  readonly type: DType;
  /** Its operands' element types: `type`, except for integers, booleans and operands it does not read. */
  readonly operandTypes: readonly DType[];
  /** Adds a node and returns the name of its (first) output. Domain "" is ONNX itself. */
  node(
    type: string,
    inputs: readonly string[],
    attributes?: Readonly<Record<string, Attribute>>,
    domain?: string,
  ): string;
  /** An in-memory initializer of floating-point numbers, by default of the operator's `type`. */
  numbers(shape: readonly number[], values: Float32Array | readonly number[], type?: FloatDType): string;
  /** Casts a tensor to another element type; returns the same name if it already has it. */
  cast(name: string, from: DType, to: DType): string;
  /** An in-memory initializer. */
  constant(dtype: DType, shape: readonly number[], data: Uint8Array): string;
  /** A 1-D int64 initializer. */
  integers(values: readonly number[]): string;
  /** An initializer in a file. `inPlace` keeps the runtime from copying it into another layout. */
  external(ref: TensorRef, inPlace?: boolean): string;
  input(name: string, dtype: DType, shape: Shape): string;
  /** A 1-D int64 tensor of sizes; open ones are read at run time from values already emitted. */
  sizes(shape: Shape): string;
}
