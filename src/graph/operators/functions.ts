/** Elementwise functions. */
import { apply, type Computes, type Operator, type Value } from "../value.ts";
import { add, divide, multiply, negate, subtract } from "./elementwise.ts";
import { inFloat32 } from "./precision.ts";

const unary = (
  name: string,
  computes: Computes,
  type: string,
  /** d y / d x, times g. */
  gradient: (g: Value, x: Value, y: Value) => Value,
  attributes?: Readonly<Record<string, { readonly float: number }>>,
  domain?: string,
): Operator<null> => ({
  name,
  computes,
  infer: ([x]) => ({ shape: x!.shape, dtype: x!.dtype }),
  emit: (to, inputs) => to.node(type, inputs, attributes, domain),
  gradient: ({ g, inputs: [x], result }) => [gradient(g, x!, result)],
});

const expOperator = unary("exp", "float32", "Exp", (g, _, y) => multiply(g, y));
const logOperator = unary("log", "float32", "Log", (g, x) => divide(g, x));
const sinOperator = unary("sin", "float32", "Sin", (g, x) => multiply(g, cos(x)));
const cosOperator = unary("cos", "float32", "Cos", (g, x) => negate(multiply(g, sin(x))));
const sqrtOperator = unary("sqrt", "float32", "Sqrt", (g, _, y) => divide(multiply(g, 0.5), y));
const sigmoidOperator = unary("sigmoid", "asInputs", "Sigmoid", (g, _, y) => multiply(g, multiply(y, subtract(1, y))));
const tanhOperator = unary("tanh", "asInputs", "Tanh", (g, _, y) => multiply(g, subtract(1, multiply(y, y))));
const erfOperator = unary("erf", "asInputs", "Erf", (g, x) =>
  multiply(multiply(g, 2 / Math.sqrt(Math.PI)), exp(negate(square(x)))),
);

/** d/dx x s(ax) = s + ax s (1 - s), where s is the sigmoid; needs only x, so the activation's result need not be kept. */
const swishGradient = (slope: number) => (g: Value, x: Value) => {
  const steep = slope === 1 ? x : multiply(x, slope);
  const s = sigmoid(steep);
  return multiply(multiply(g, s), add(multiply(steep, subtract(1, s)), 1));
};
const siluOperator = unary("silu", "real", "QuickGelu", swishGradient(1), { alpha: { float: 1 } }, "com.microsoft");
const quickGeluOperator = unary(
  "quickGelu",
  "real",
  "QuickGelu",
  swishGradient(1.702),
  { alpha: { float: 1.702 } },
  "com.microsoft",
);

/** d/dx x Phi(x) = Phi(x) + x phi(x), with the normal distribution function Phi and density phi. */
const geluOperator = unary(
  "gelu",
  "real",
  "Gelu",
  (g, x) => {
    const wide = inFloat32(x); // its square may overflow float16
    const distribution = add(multiply(erf(multiply(wide, Math.SQRT1_2)), 0.5), 0.5);
    const density = multiply(exp(multiply(square(wide), -0.5)), 1 / Math.sqrt(2 * Math.PI));
    return multiply(g, add(distribution, multiply(wide, density)));
  },
  undefined,
  "com.microsoft",
);

export const exp = (x: Value): Value => apply(expOperator, [x], null);
export const log = (x: Value): Value => apply(logOperator, [x], null);
export const sin = (x: Value): Value => apply(sinOperator, [x], null);
export const cos = (x: Value): Value => apply(cosOperator, [x], null);
export const square = (x: Value): Value => multiply(x, x);
export const sqrt = (x: Value): Value => apply(sqrtOperator, [x], null);
export const sigmoid = (x: Value): Value => apply(sigmoidOperator, [x], null);
export const tanh = (x: Value): Value => apply(tanhOperator, [x], null);
export const erf = (x: Value): Value => apply(erfOperator, [x], null);
/** x * sigmoid(x). */
export const silu = (x: Value): Value => apply(siluOperator, [x], null);
/** x * sigmoid(1.702 x), the activation of OpenAI's CLIP. */
export const quickGelu = (x: Value): Value => apply(quickGeluOperator, [x], null);
/** x * Phi(x) with the exact (erf) normal distribution function. */
export const gelu = (x: Value): Value => apply(geluOperator, [x], null);

const powerOperator: Operator<{ exponent: number }> = {
  name: "power",
  computes: "float32",
  infer: ([x]) => ({ shape: x!.shape, dtype: x!.dtype }),
  emit: (to, [x], { exponent }) => to.node("Pow", [x!, to.numbers([], [exponent])]),
  gradient: ({ g, inputs: [x], attributes: { exponent } }) => [
    multiply(g, multiply(power(x!, exponent - 1), exponent)),
  ],
};

/** x to a constant power; x > 0 unless the exponent is an integer. */
export const power = (x: Value, exponent: number): Value => apply(powerOperator, [x], { exponent });
