/** Operators that work element by element; two operands broadcast as in NumPy. */
import { type Dim, type Shape, sameDim } from "../dim.ts";
import { apply, mismatch, type Operator, type Value, type ValueType } from "../value.ts";
import { constant } from "./leaves.ts";

function broadcast(name: string, inputs: readonly Value[]): Shape {
  const rank = Math.max(...inputs.map((v) => v.shape.length));
  return Array.from({ length: rank }, (_, i): Dim => {
    const dims = inputs.map((v) => v.shape[v.shape.length - rank + i] ?? 1);
    const size = dims.find((d) => d !== 1) ?? 1;
    if (!dims.every((d) => d === 1 || sameDim(d, size))) mismatch(name, inputs, `axis ${i} cannot be broadcast`);
    return size;
  });
}

const binary = (name: string, type: string): Operator<null> => ({
  name,
  infer: (inputs): ValueType => {
    if (inputs[0]!.dtype !== inputs[1]!.dtype) mismatch(name, inputs, `${inputs[0]!.dtype} with ${inputs[1]!.dtype}`);
    return { shape: broadcast(name, inputs), dtype: inputs[0]!.dtype };
  },
  emit: (to, inputs) => to.node(type, inputs),
});

const addOperator = binary("add", "Add");
const subtractOperator = binary("subtract", "Sub");
const multiplyOperator = binary("multiply", "Mul");
const divideOperator = binary("divide", "Div");
const minimumOperator = binary("minimum", "Min");
const maximumOperator = binary("maximum", "Max");

type Operand = Value | number;
const operand = (v: Operand): Value => (typeof v === "number" ? constant([], [v]) : v);

export const add = (a: Operand, b: Operand): Value => apply(addOperator, [operand(a), operand(b)], null);
export const subtract = (a: Operand, b: Operand): Value => apply(subtractOperator, [operand(a), operand(b)], null);
export const multiply = (a: Operand, b: Operand): Value => apply(multiplyOperator, [operand(a), operand(b)], null);
export const divide = (a: Operand, b: Operand): Value => apply(divideOperator, [operand(a), operand(b)], null);
export const minimum = (a: Value, b: Value): Value => apply(minimumOperator, [a, b], null);
export const maximum = (a: Value, b: Value): Value => apply(maximumOperator, [a, b], null);

const lessOperator: Operator<null> = {
  name: "less",
  infer: (inputs) => ({ shape: broadcast("less", inputs), dtype: "bool" }),
  emit: (to, inputs) => to.node("Less", inputs),
};

/** a < b, as booleans. */
export const less = (a: Value, b: Value): Value => apply(lessOperator, [a, b], null);

const selectOperator: Operator<null> = {
  name: "select",
  infer: (inputs) => ({ shape: broadcast("select", inputs), dtype: inputs[1]!.dtype }),
  emit: (to, inputs) => to.node("Where", inputs),
};

/** `then` where the condition holds, `otherwise` elsewhere. */
export const select = (condition: Value, then: Value, otherwise: Value): Value =>
  apply(selectOperator, [condition, then, otherwise], null);

const unary = (
  name: string,
  type: string,
  attributes?: Readonly<Record<string, { readonly float: number }>>,
  domain?: string,
): Operator<null> => ({
  name,
  infer: ([x]) => ({ shape: x!.shape, dtype: x!.dtype }),
  emit: (to, inputs) => to.node(type, inputs, attributes, domain),
});

const expOperator = unary("exp", "Exp");
const sinOperator = unary("sin", "Sin");
const cosOperator = unary("cos", "Cos");
const siluOperator = unary("silu", "QuickGelu", { alpha: { float: 1 } }, "com.microsoft");
const quickGeluOperator = unary("quickGelu", "QuickGelu", { alpha: { float: 1.702 } }, "com.microsoft");
const geluOperator = unary("gelu", "Gelu", undefined, "com.microsoft");

export const exp = (x: Value): Value => apply(expOperator, [x], null);
export const sin = (x: Value): Value => apply(sinOperator, [x], null);
export const cos = (x: Value): Value => apply(cosOperator, [x], null);
/** x * sigmoid(x). */
export const silu = (x: Value): Value => apply(siluOperator, [x], null);
/** x * sigmoid(1.702 x), the activation of OpenAI's CLIP. */
export const quickGelu = (x: Value): Value => apply(quickGeluOperator, [x], null);
/** x * Phi(x) with the exact (erf) normal distribution function. */
export const gelu = (x: Value): Value => apply(geluOperator, [x], null);
