/** Gradients: reverse mode as a transformation of the graph. The rules stand with the operators. */
import { sameShape, showShape } from "./dim.ts";
import { add } from "./operators/elementwise.ts";
import { constant } from "./operators/leaves.ts";
import { after } from "./operators/ordering.ts";
import { expand } from "./operators/reductions.ts";
import { ShapeError, topological, type Value } from "./value.ts";

/**
 * d loss / d each of `wrt`, as values of the graph, of the shapes of `wrt`.
 *
 * Only values on a way from `wrt` to the loss get a gradient, so frozen weights cost nothing. A value the loss does not
 * depend on gets zeros.
 *
 * @throws ShapeError if the loss is not a single float32 number of shape [].
 */
export function grad(loss: Value, wrt: readonly Value[]): Value[] {
  if (loss.shape.length !== 0 || loss.dtype !== "float32") {
    throw new ShapeError(`a gradient is taken of one float32 number, not of ${loss.dtype} ${showShape(loss.shape)}`);
  }
  const gradients = backward(loss, constant([], [1]), wrt);
  return gradients.map((g, i) => g ?? expand(constant([], [0]), wrt[i]!));
}

/**
 * The sum over all elements of `seed` times d result / d each of `wrt`; undefined where there is no dependence.
 * `independent` values are taken as given, whatever they were made of.
 *
 * Once the gradient of one of `wrt` is complete, it is computed before the walk goes on: what it was made of can then be
 * let go, while the runtime's own order would keep it until the end.
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
