/** Elementwise arithmetic, with broadcasting as in NumPy. */
import { type Dim, type Shape, sameDim } from "../dim.ts";
import { apply, mismatch, type Operator, type Value, type ValueType } from "../value.ts";
import { constant } from "./leaves.ts";
import { sumTo } from "./reductions.ts";

function broadcast(name: string, inputs: readonly Value[]): Shape {
  const rank = Math.max(...inputs.map((v) => v.shape.length));
  return Array.from({ length: rank }, (_, i): Dim => {
    const dims = inputs.map((v) => v.shape[v.shape.length - rank + i] ?? 1);
    const size = dims.find((d) => d !== 1) ?? 1;
    if (!dims.every((d) => d === 1 || sameDim(d, size))) mismatch(name, inputs, `axis ${i} cannot be broadcast`);
    return size;
  });
}

const binary = (
  name: string,
  type: string,
  /** d loss / d a and d loss / d b, of the result's shape. */
  gradient: (g: Value, a: Value, b: Value, result: Value) => readonly [Value, Value],
): Operator<null> => ({
  name,
  computes: "asInputs",
  infer: (inputs): ValueType => {
    if (inputs[0]!.dtype !== inputs[1]!.dtype) mismatch(name, inputs, `${inputs[0]!.dtype} with ${inputs[1]!.dtype}`);
    return { shape: broadcast(name, inputs), dtype: inputs[0]!.dtype };
  },
  emit: (to, inputs) => to.node(type, inputs),
  gradient: ({ g, inputs: [a, b], result, wanted }) => {
    const wide = gradient(g, a!, b!, result);
    return [a!, b!].map((operand, i) => (wanted[i] ? sumTo(wide[i]!, operand.shape) : undefined));
  },
});

const addOperator = binary("add", "Add", (g) => [g, g]);
const subtractOperator = binary("subtract", "Sub", (g) => [g, negate(g)]);
const multiplyOperator = binary("multiply", "Mul", (g, a, b) => [multiply(g, b), multiply(g, a)]);
const divideOperator = binary("divide", "Div", (g, _, b, y) => {
  const ga = divide(g, b);
  return [ga, negate(multiply(ga, y))];
});
const minimumOperator = binary("minimum", "Min", (g, a, b) => {
  const first = less(a, b);
  return [select(first, g, 0), select(first, 0, g)];
});
const maximumOperator = binary("maximum", "Max", (g, a, b) => {
  const first = less(b, a);
  return [select(first, g, 0), select(first, 0, g)];
});

export type Operand = Value | number;
const operand = (v: Operand): Value => (typeof v === "number" ? constant([], [v]) : v);

export const add = (a: Operand, b: Operand): Value => apply(addOperator, [operand(a), operand(b)], null);
export const subtract = (a: Operand, b: Operand): Value => apply(subtractOperator, [operand(a), operand(b)], null);
export const multiply = (a: Operand, b: Operand): Value => apply(multiplyOperator, [operand(a), operand(b)], null);
export const divide = (a: Operand, b: Operand): Value => apply(divideOperator, [operand(a), operand(b)], null);
export const negate = (x: Value): Value => multiply(x, -1);
/** The elementwise minimum; if equal, the gradient goes to b. */
export const minimum = (a: Operand, b: Operand): Value => apply(minimumOperator, [operand(a), operand(b)], null);
/** The elementwise maximum; if equal, the gradient goes to b. */
export const maximum = (a: Operand, b: Operand): Value => apply(maximumOperator, [operand(a), operand(b)], null);
/** x clamped to [low, high]. */
export const clamp = (x: Value, low: number, high: number): Value => minimum(maximum(x, low), high);

const lessOperator: Operator<null> = {
  name: "less",
  computes: "asInputs",
  infer: (inputs) => ({ shape: broadcast("less", inputs), dtype: "bool" }),
  emit: (to, inputs) => to.node("Less", inputs),
  gradient: () => [],
};

/** a < b, as booleans. */
export const less = (a: Value, b: Value): Value => apply(lessOperator, [a, b], null);

const selectOperator: Operator<null> = {
  name: "select",
  computes: "asInputs",
  infer: (inputs) => ({ shape: broadcast("select", inputs), dtype: inputs[1]!.dtype }),
  emit: (to, inputs) => to.node("Where", inputs),
  gradient: ({ g, inputs: [condition, then, otherwise] }) => [
    undefined,
    sumTo(select(condition!, g, 0), then!.shape),
    sumTo(select(condition!, 0, g), otherwise!.shape),
  ],
};

/** `then` where the condition holds, `otherwise` elsewhere. */
export const select = (condition: Value, then: Operand, otherwise: Operand): Value =>
  apply(selectOperator, [condition, operand(then), operand(otherwise)], null);
