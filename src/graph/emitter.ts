/** What an operator writes its lowered form with. */
import type { FloatDType } from "../bytes/elements.ts";
import type { DType, TensorRef } from "../bytes/tensor-ref.ts";
import type { Shape } from "./dim.ts";
import type { Target } from "./target.ts";

export type Attribute = number | { readonly float: number } | string | readonly number[];

export interface Emitter {
  readonly target: Target;
  /** The element type that the operator at hand computes in: its real operands come in it, its real result is of it. */
  readonly type: DType;
  /** The element types that its operands come in: `type`, but for whole numbers, booleans and those it does not read. */
  readonly operandTypes: readonly DType[];
  /** Adds a node and returns the name of its (first) result. Domain "" is ONNX itself. */
  node(
    type: string,
    inputs: readonly string[],
    attributes?: Readonly<Record<string, Attribute>>,
    domain?: string,
  ): string;
  /** Real numbers as an in-memory initializer, of `type` if no other is given. */
  numbers(shape: readonly number[], values: Float32Array | readonly number[], type?: FloatDType): string;
  /** The tensor of that name in another element type; the name itself where it is the same. */
  cast(name: string, from: DType, to: DType): string;
  /** An in-memory initializer. */
  constant(dtype: DType, shape: readonly number[], data: Uint8Array): string;
  /** A 1-D int64 initializer. */
  integers(values: readonly number[]): string;
  /** The initializer that lies in a file. `inPlace` keeps the runtime from making a re-laid copy of it. */
  external(ref: TensorRef, inPlace?: boolean): string;
  input(name: string, dtype: DType, shape: Shape): string;
  /** A 1-D int64 tensor of sizes, read at run time from values already emitted where they are open. */
  sizes(shape: Shape): string;
}
