/** Gradient checkpointing: recomputes the inner values of a segment in the backward pass instead of keeping them. */
import { substitute } from "./compose.ts";
import { backward } from "./grad.ts";
import { after } from "./operators/ordering.ts";
import { apply, type Operator, topological, type Value } from "./value.ts";

/** Inputs: the segment's result, the values it starts from, and those it captured from outside. */
const recomputeOperator: Operator<{ starts: number }> = {
  name: "recompute",
  computes: "asInputs",
  reads: 1,
  infer: ([y]) => ({ shape: y!.shape, dtype: y!.dtype }),
  emit: (_, [y]) => y!,
  // The copy starts from values that are held back until g is available. So it is computed when needed, and the runtime
  // cannot merge it with the original, which it would then have to keep.
  gradient: ({ g, inputs: [y, ...outside], attributes: { starts }, wanted }) => {
    const held = outside.map((value, i) => (i < starts ? after(value, [g]) : value));
    const [copy] = substitute([y!], new Map(outside.map((value, i) => [value, held[i]!])));
    const asked = held.filter((_, i) => wanted[i + 1]);
    const gradients = backward(copy!, g, asked, new Set(held));
    return [undefined, ...held.map((value) => gradients[asked.indexOf(value)])];
  },
};

/**
 * The value of `segment(...inputs)`, whose intermediate values are recomputed in the backward pass instead of kept.
 *
 * Other values that the segment uses, such as weights, are found automatically and get their gradients. Without a backward
 * pass nothing changes.
 */
export function recompute(segment: (...inputs: Value[]) => Value, ...inputs: Value[]): Value {
  const y = segment(...inputs);
  const inside = new Set<Value>();
  for (const value of topological([y], new Set(inputs))) {
    const repeated = value.inputs.some((v) => inside.has(v) || inputs.includes(v));
    if (repeated && !inputs.includes(value)) inside.add(value);
  }
  if (!inside.has(y)) return y;
  const captured = new Set<Value>();
  for (const value of inside) {
    for (const v of value.inputs) if (!inside.has(v) && !inputs.includes(v)) captured.add(v);
  }
  return apply(recomputeOperator, [y, ...inputs, ...captured], { starts: inputs.length });
}
