/**
 * A graph is its values: each remembers the operator and the values it came from, so recording a model is calling
 * functions, and a graph is whatever its outputs reach.
 */

import type { DType } from "../bytes/tensor-ref.ts";
import { type Shape, showShape } from "./dim.ts";
import type { Emitter } from "./emitter.ts";

// biome-ignore lint/suspicious/noExplicitAny: an operator's attributes are its own; the graph only carries them.
export type AnyOperator = Operator<any>;

/**
 * The number type that an operator's real numbers are computed in: the target's; float32 whatever the target's is; or that
 * of its operands, which is float32 as soon as one of them is.
 */
export type Computes = "real" | "float32" | "asInputs";

/** One operator, all of it in one place: its shape rule, its number type, its ONNX form and its gradient. */
export interface Operator<Attributes> {
  readonly name: string;
  readonly computes: Computes;
  /** How many of its inputs are read, by default all; of those after them the shape alone is used. */
  readonly reads?: number;
  /** Given in whatever number type others ask for, and of no weight where they compute as their inputs: a weight, a constant. */
  readonly yields?: boolean;
  /** The result's type, or an error that names both shapes. */
  readonly infer: (inputs: readonly Value[], attributes: Attributes) => ValueType;
  /** Writes ONNX nodes and returns the name of the result. */
  readonly emit: (to: Emitter, inputs: readonly string[], attributes: Attributes, value: Value) => string;
  /** d loss / d each input, in order; undefined for an input that has none or that is not wanted. */
  readonly gradient: (at: Backward<Attributes>) => readonly (Value | undefined)[];
}

/** What a gradient rule is given. All of it is values of the graph; what no result uses is never computed. */
export interface Backward<Attributes> {
  /** d loss / d result, of the result's shape. */
  readonly g: Value;
  readonly inputs: readonly Value[];
  readonly attributes: Attributes;
  readonly result: Value;
  /** For each input whether its gradient is asked for. */
  readonly wanted: readonly boolean[];
}

export interface ValueType {
  readonly shape: Shape;
  /** "float32" is any real number: outside of a session it is float32, inside a type that the lowering chooses. */
  readonly dtype: DType;
}

export interface Value extends ValueType {
  readonly operator: AnyOperator;
  readonly inputs: readonly Value[];
  readonly attributes: unknown;
}

/** What a compiled graph gives: results by name. */
export type Outputs = Readonly<Record<string, Value>>;

/** Records one operator application. */
export function apply<A>(operator: Operator<A>, inputs: readonly Value[], attributes: A): Value {
  return { operator, inputs, attributes, ...operator.infer(inputs, attributes) };
}

/** A graph that cannot be: a mismatch found while recording. Always a bug in a model or a checkpoint that lies. */
export class ShapeError extends Error {
  override name = "ShapeError";
}

/** The rule of an operator that only gradients are made of. */
export const noSecondDerivative = (operator: string) => (): never => {
  throw new ShapeError(`${operator} is part of a gradient and has none of its own: take the gradient once`);
};

/** Throws a {@link ShapeError} naming the operator and its operands' shapes. */
export function mismatch(operator: string, inputs: readonly Value[], why: string): never {
  throw new ShapeError(`${operator} of ${inputs.map((v) => showShape(v.shape)).join(" and ")}: ${why}`);
}

/** The values that `outputs` reach, each after everything it depends on. What is behind the values of `ends` is left out. */
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
