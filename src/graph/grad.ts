/** Reverse-mode differentiation as a graph transformation. The gradient rules are in the operators. */
import { sameShape, showShape } from "./dim.ts";
import { add } from "./operators/elementwise.ts";
import { constant } from "./operators/leaves.ts";
import { after } from "./operators/ordering.ts";
import { expand } from "./operators/reductions.ts";
import { ShapeError, topological, type Value } from "./value.ts";

/**
 * d loss / d each of `wrt`, as graph values of the shapes of `wrt`.
 *
 * Only values between `wrt` and the loss get a gradient, so frozen weights cost nothing. A value that the loss does not depend
 * on gets zeros.
 *
 * @throws ShapeError if the loss is not a float32 scalar of shape [].
 */
export function grad(loss: Value, wrt: readonly Value[]): Value[] {
  if (loss.shape.length !== 0 || loss.dtype !== "float32") {
    throw new ShapeError(`a gradient is taken of one float32 number, not of ${loss.dtype} ${showShape(loss.shape)}`);
  }
  const gradients = backward(loss, constant([], [1]), wrt);
  return gradients.map((g, i) => g ?? expand(constant([], [0]), wrt[i]!));
}

/**
 * The vector-Jacobian product of `seed` with d result / d each of `wrt`; undefined if there is no dependence. Dependencies of
 * `independent` values are not followed.
 *
 * A complete gradient of one of `wrt` is computed before the backward pass continues, so that what it depends on can be freed;
 * in the runtime's own order, it would be kept until the end.
 */
export function backward(
  result: Value,
  seed: Value,
  wrt: readonly Value[],
  independent: ReadonlySet<Value> = new Set(),
): (Value | undefined)[] {
  const order = topological([result], independent);
  const leaves = new Set(wrt);
  const onTheWay = new Set<Value>();
  for (const value of order) {
    const differentiable = value.dtype === "float32" && value.inputs.some((v) => onTheWay.has(v));
    if (leaves.has(value) || differentiable) onTheWay.add(value);
  }

  const gradients = new Map<Value, Value>([[result, seed]]);
  let complete: Value[] = [];
  for (const value of order.reverse()) {
    let g = gradients.get(value);
    if (!g || !onTheWay.has(value)) continue;
    const wanted = value.inputs.map((v) => onTheWay.has(v));
    if (leaves.has(value)) complete.push(g);
    if (!wanted.includes(true)) continue;
    if (g.shape.length > 0) {
      g = after(g, complete);
      complete = [];
    }
    const { operator, inputs, attributes } = value;
    const contributions = operator.gradient({ g, inputs, attributes, result: value, wanted });
    for (const [i, input] of inputs.entries()) {
      const contribution = contributions[i];
      if (!wanted[i] || !contribution) continue;
      if (!sameShape(contribution.shape, input.shape)) {
        throw new ShapeError(
          `the gradient rule of ${operator.name} gives ${showShape(contribution.shape)} for ${showShape(input.shape)}`,
        );
      }
      const sum = gradients.get(input);
      gradients.set(input, sum ? add(sum, contribution) : contribution);
    }
  }
  return wrt.map((value) => gradients.get(value));
}
