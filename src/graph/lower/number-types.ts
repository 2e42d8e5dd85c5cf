/** Chooses the number type of every value in a graph, and where casts are needed. */
import type { DType } from "../../bytes/tensor-ref.ts";
import type { Real } from "../target.ts";
import type { Value } from "../value.ts";

export interface NumberTypes {
  /** The type that an operator computes in, and that of its result if it is floating point. */
  readonly computed: ReadonlyMap<Value, DType>;
  /** The types in which other values read a value, in order. */
  readonly asked: ReadonlyMap<Value, ReadonlySet<DType>>;
}

/** Whether a value is floating point: in the graph, "float32" stands for whatever type it is computed in. */
export const isReal = ({ dtype }: Value): boolean => dtype === "float32";

/** The inputs that a value's operator reads beyond their shape. */
export const operandsOf = ({ inputs, operator }: Value): readonly Value[] => inputs.slice(0, operator.reads);

/**
 * @param order The values in topological order.
 * @param results The graph's results, which are float32 outside.
 * @param real The target's floating-point type.
 */
export function numberTypes(order: readonly Value[], results: readonly Value[], real: Real): NumberTypes {
  const computed = new Map<Value, DType>();
  const asked = new Map<Value, Set<DType>>();
  const ask = (value: Value, type: DType) => {
    const types = asked.get(value);
    if (types) types.add(type);
    else asked.set(value, new Set([type]));
  };
  for (const value of order) {
    const operands = operandsOf(value).filter(isReal);
    const type = typeOf(value, operands, computed, real);
    computed.set(value, type);
    for (const operand of operands) ask(operand, type);
  }
  for (const value of results) if (isReal(value)) ask(value, "float32");
  return { computed, asked };
}

function typeOf(value: Value, operands: readonly Value[], computed: ReadonlyMap<Value, DType>, real: Real): DType {
  const { computes } = value.operator;
  if (!isReal(value) && operands.length === 0) return value.dtype;
  if (computes !== "asInputs") return computes === "real" ? real : "float32";
  const settled = operands.filter(({ operator }) => !operator.yields);
  if (settled.some((v) => computed.get(v) === "float32")) return "float32";
  return operands.some((v) => computed.get(v) === real) ? real : "float32";
}
