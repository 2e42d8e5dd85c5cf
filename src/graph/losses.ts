/** Losses, and the similarity they are built from. */
import { add, multiply, subtract } from "./operators/elementwise.ts";
import { power, square } from "./operators/functions.ts";
import { mean } from "./operators/mean.ts";
import { sum } from "./operators/reductions.ts";
import type { Value } from "./value.ts";

/** Mean of (a - b)^2 over all elements, of shape []. */
export const meanSquaredError = (a: Value, b: Value): Value => mean(square(subtract(a, b)));

/**
 * Cosine similarity of a and b [..., n] over the last axis: [...].
 *
 * A zero vector has cosine 0 with any other.
 */
export function cosineSimilarity(a: Value, b: Value): Value {
  const dot = (x: Value, y: Value) => sum(multiply(x, y), [Math.max(x.shape.length, y.shape.length) - 1]);
  const inverseLength = (x: Value) => power(add(dot(x, x), 1e-16), -0.5);
  return multiply(dot(a, b), multiply(inverseLength(a), inverseLength(b)));
}
