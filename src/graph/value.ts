/**
 * A graph consists of its values, each of which stores its operator and inputs: a model is recorded by calling functions, and
 * a graph is all the values that its outputs depend on.
 */

import type { DType } from "../bytes/tensor-ref.ts";
import { type Shape, showShape } from "./dim.ts";
import type { Emitter } from "./emitter.ts";

// biome-ignore lint/suspicious/noExplicitAny: an operator's attributes are its own; the graph only carries them.
export type AnyOperator = Operator<any>;

/**
 * The number type that an operator computes in: the target's ("real"); always float32; or its operands', which is float32 if
 * any of them is ("asInputs").
 */
export type Computes = "real" | "float32" | "asInputs";

/** An operator: its shape rule, number type, ONNX form and gradient. */
export interface Operator<Attributes> {
  readonly name: string;
  readonly computes: Computes;
  /** How many of its inputs are read, by default all; only the shapes of the rest are used. */
  readonly reads?: number;
  /** Whether it is given in any number type its users ask for, and does not affect the type of "asInputs": weights, constants. */
  readonly yields?: boolean;
  /** The result's type, or an error that names both shapes. */
  readonly infer: (inputs: readonly Value[], attributes: Attributes) => ValueType;
  /** Writes ONNX nodes and returns the name of the result. */
  readonly emit: (to: Emitter, inputs: readonly string[], attributes: Attributes, value: Value) => string;
  /** d loss / d each input, in order; undefined for an input without a gradient, or whose gradient is not wanted. */
  readonly gradient: (at: Backward<Attributes>) => readonly (Value | undefined)[];
}

/** The arguments of a gradient rule, as graph values; values that no result uses are never computed. */
export interface Backward<Attributes> {
  /** d loss / d result, of the result's shape. */
  readonly g: Value;
  readonly inputs: readonly Value[];
  readonly attributes: Attributes;
  readonly result: Value;
  /** For each input, whether its gradient is wanted. */
  readonly wanted: readonly boolean[];
}

export interface ValueType {
  readonly shape: Shape;
  /** "float32" stands for any floating-point type: float32 outside a session, the type that the lowering chooses inside. */
  readonly dtype: DType;
}

export interface Value extends ValueType {
  readonly operator: AnyOperator;
  readonly inputs: readonly Value[];
  readonly attributes: unknown;
}

/** A graph's results by name. */
export type Outputs = Readonly<Record<string, Value>>;

/** Records one operator application. */
export function apply<A>(operator: Operator<A>, inputs: readonly Value[], attributes: A): Value {
  return { operator, inputs, attributes, ...operator.infer(inputs, attributes) };
}

/** A mismatch found while recording a graph: a bug in a model, or a checkpoint that contradicts its config. */
export class ShapeError extends Error {
  override name = "ShapeError";
}

/** The gradient rule of an operator that occurs only in gradients. */
export const noSecondDerivative = (operator: string) => (): never => {
  throw new ShapeError(`${operator} is part of a gradient and has none of its own: take the gradient once`);
};

/** Throws a {@link ShapeError} naming the operator and its operands' shapes. */
export function mismatch(operator: string, inputs: readonly Value[], why: string): never {
  throw new ShapeError(`${operator} of ${inputs.map((v) => showShape(v.shape)).join(" and ")}: ${why}`);
}

/** The values that `outputs` depend on, in topological order. The inputs of values in `ends` are not followed. */
export function topological(outputs: readonly Value[], ends: ReadonlySet<Value> = new Set()): Value[] {
  const order: Value[] = [];
  const seen = new Set<Value>();
  const stack: { value: Value; next: number }[] = [];
  const push = (value: Value) => {
    if (seen.has(value)) return;
    seen.add(value);
    stack.push({ value, next: 0 });
  };
  for (const output of outputs) {
    push(output);
    while (stack.length > 0) {
      const top = stack.at(-1)!;
      const child = ends.has(top.value) ? undefined : top.value.inputs[top.next++];
      if (child) push(child);
      else order.push(stack.pop()!.value);
    }
  }
  return order;
}
