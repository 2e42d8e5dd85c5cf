/** Elementwise functions. */
import { apply, type Computes, type Operator, type Value } from "../value.ts";
import { add, divide, less, multiply, negate, select, subtract } from "./elementwise.ts";
import { constant } from "./leaves.ts";
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
const reluOperator = unary("relu", "asInputs", "Relu", (g, x) => select(less(constant([], [0]), x), g, 0));
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

/** With t = tanh(a (x + b x^3)): d/dx x (1 + t) / 2 = (1 + t) / 2 + x (1 - t^2) a (1 + 3 b x^2) / 2. */
const geluTanhOperator = unary(
  "geluTanh",
  "real",
  "FastGelu",
  (g, x) => {
    const wide = inFloat32(x); // the cube may overflow float16
    const [a, b] = [Math.sqrt(2 / Math.PI), 0.044715];
    const t = tanh(multiply(multiply(wide, add(multiply(square(wide), b), 1)), a));
    const steep = multiply(add(multiply(square(wide), 3 * b), 1), a);
    const share = multiply(add(t, 1), 0.5);
    return multiply(g, add(share, multiply(multiply(wide, 0.5), multiply(subtract(1, square(t)), steep))));
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
/** The larger of x and 0; at 0 its gradient is 0. */
export const relu = (x: Value): Value => apply(reluOperator, [x], null);
export const erf = (x: Value): Value => apply(erfOperator, [x], null);
/** x * sigmoid(x). */
export const silu = (x: Value): Value => apply(siluOperator, [x], null);
/** x * sigmoid(1.702 x), the activation of OpenAI's CLIP. */
export const quickGelu = (x: Value): Value => apply(quickGeluOperator, [x], null);
/** x * Phi(x) with the exact (erf) normal distribution function. */
export const gelu = (x: Value): Value => apply(geluOperator, [x], null);

/** x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2: an approximation of {@link gelu}, and Gemma's activation. */
export const geluTanh = (x: Value): Value => apply(geluTanhOperator, [x], null);

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
