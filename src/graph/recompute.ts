/** Trades time for memory: parts of a graph whose inner values are computed twice instead of kept. */
import { substitute } from "./compose.ts";
import { backward } from "./grad.ts";
import { after } from "./operators/ordering.ts";
import { apply, type Operator, topological, type Value } from "./value.ts";

/** The inputs are: what the segment gave, the values to start again from, and those it captured from outside. */
const recomputeOperator: Operator<{ starts: number }> = {
  name: "recompute",
  computes: "asInputs",
  reads: 1,
  infer: ([y]) => ({ shape: y!.shape, dtype: y!.dtype }),
  emit: (_, [y]) => y!,
  // The copy starts from values that are held back until g is there. So it is computed when it is needed, and the
  // runtime cannot take it for the original, which it would then keep.
  gradient: ({ g, inputs: [y, ...outside], attributes: { starts }, wanted }) => {
    const held = outside.map((value, i) => (i < starts ? after(value, [g]) : value));
    const [copy] = substitute([y!], new Map(outside.map((value, i) => [value, held[i]!])));
    const asked = held.filter((_, i) => wanted[i + 1]);
    const gradients = backward(copy!, g, asked, new Set(held));
    return [undefined, ...held.map((value) => gradients[asked.indexOf(value)])];
  },
};

/**
 * The value of `segment(...inputs)`; what it computes from the inputs on its way is not kept for the backward pass but
 * computed again there.
 *
 * What the segment uses beside its inputs, such as weights, is found by itself and gets its gradients. Without a backward
 * pass it changes nothing.
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
