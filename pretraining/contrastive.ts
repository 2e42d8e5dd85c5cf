/** Contrastive losses. */
import {
  add,
  divide,
  exp,
  log,
  matmul,
  mean,
  multiply,
  negate,
  power,
  square,
  subtract,
  sum,
  transpose,
  type Value,
} from "../src/graph/index.ts";

/** Normalises rows [rows, width] to length 1. */
export const unitRows = (x: Value): Value => multiply(x, power(add(sum(square(x), [1], { keep: true }), 1e-8), -0.5));

/** a b^T: the similarities of all pairs of rows. */
export const similarities = (a: Value, b: Value): Value => matmul(a, transpose(b, [1, 0]));

/**
 * Cross entropy of each row of `logits` [rows, columns] against `targets`, whose rows sum to 1; the mean over rows.
 *
 * Logits up to 80 are safe in float32.
 */
export function crossEntropy(logits: Value, targets: Value): Value {
  const total = log(sum(exp(logits), [1], { keep: true }));
  return negate(mean(sum(multiply(targets, subtract(logits, total)), [1])));
}

/** Rows of a matrix of counts, each divided by its sum. */
export const shares = (counts: Value): Value => divide(counts, sum(counts, [1], { keep: true }));
