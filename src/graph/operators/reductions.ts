/** Sums over axes, and their inverse, expansion along axes. */
import { type Dim, dimKey, type Shape, sameDim, sameShape } from "../dim.ts";
import { apply, mismatch, type Operator, type Value } from "../value.ts";
import { reshape } from "./layout.ts";

interface Axes {
  readonly axes: readonly number[];
  readonly keep: boolean;
}

const reduced = (shape: Shape, { axes, keep }: Axes): Shape =>
  shape.flatMap((d, i): Dim[] => (axes.includes(i) ? (keep ? [1] : []) : [d]));

/** g reshaped to broadcast against x: reduced axes have size 1. */
const withAxes = (g: Value, x: Value, { axes, keep }: Axes): Value =>
  keep ? g : reshape(g, reduced(x.shape, { axes, keep: true }));

/** An operator that reduces axes; `gradient` gets g in a shape that broadcasts against x. */
export const reduction = (
  name: string,
  type: string,
  gradient: (g: Value, x: Value, axes: readonly number[]) => Value,
): Operator<Axes> => ({
  name,
  computes: "float32",
  infer: (inputs, attributes) => {
    const [x] = inputs as [Value];
    if (!attributes.axes.every((axis) => axis >= 0 && axis < x.shape.length)) {
      mismatch(name, inputs, `axes [${attributes.axes}] lie outside it`);
    }
    return { shape: reduced(x.shape, attributes), dtype: x.dtype };
  },
  emit: (to, [x], { axes, keep }) => to.node(type, [x!, to.integers(axes)], { keepdims: keep ? 1 : 0 }),
  gradient: ({ g, inputs: [x], attributes }) => [gradient(withAxes(g, x!, attributes), x!, attributes.axes)],
});

const sumOperator = reduction("sum", "ReduceSum", expand);

export interface ReductionOptions {
  /** Whether to keep the reduced axes with size 1. */
  readonly keep?: boolean;
}

/** All axes of x. */
export const every = (x: Value): number[] => [...x.shape.keys()];

/** Sum over `axes`, by default all. */
export const sum = (x: Value, axes: readonly number[] = every(x), { keep = false }: ReductionOptions = {}): Value =>
  axes.length === 0 ? x : apply(sumOperator, [x], { axes, keep });

const expandOperator: Operator<null> = {
  name: "expand",
  computes: "asInputs",
  reads: 1,
  infer: (inputs) => {
    const [x, like] = inputs as [Value, Value];
    const extra = like.shape.length - x.shape.length;
    const fits = extra >= 0 && x.shape.every((d, i) => d === 1 || sameDim(d, like.shape[i + extra]!));
    if (!fits) mismatch("expand", inputs, "the first does not broadcast to the second");
    return { shape: like.shape, dtype: x.dtype };
  },
  emit: (to, [x], _, value) => to.node("Expand", [x!, to.sizes(value.shape)]),
  gradient: ({ g, inputs: [x] }) => [sumTo(g, x!.shape), undefined],
};

/** x broadcast to the shape of `like`, of which only the shape is used. */
export function expand(x: Value, like: Value): Value {
  return sameShape(x.shape, like.shape) ? x : apply(expandOperator, [x, like], null);
}

/** The inverse of broadcasting: g summed over the axes along which an operand of `shape` was expanded. */
export function sumTo(g: Value, shape: Shape): Value {
  const extra = g.shape.length - shape.length;
  const axes = g.shape.flatMap((d, i) => (i < extra || (shape[i - extra] === 1 && dimKey(d) !== "1") ? [i] : []));
  if (axes.length === 0) return g;
  const kept = sum(g, axes, { keep: true });
  return extra > 0 ? reshape(kept, shape) : kept;
}
