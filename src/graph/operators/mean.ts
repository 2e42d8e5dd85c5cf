/** The mean over axes, and its number of elements. */
import { elementsOf } from "../dim.ts";
import { apply, type Operator, type Value } from "../value.ts";
import { divide } from "./elementwise.ts";
import { every, expand, type ReductionOptions, reduction } from "./reductions.ts";

// ReduceMean's axes are an attribute before opset 18 and an input since; graphs here are newer.
const meanOperator = reduction("mean", "ReduceMean", (g, x, axes) => expand(divide(g, elementCount(x, axes)), x));

/** Mean over `axes`, by default all. */
export const mean = (x: Value, axes: readonly number[] = every(x), { keep = false }: ReductionOptions = {}): Value =>
  axes.length === 0 ? x : apply(meanOperator, [x], { axes, keep });

const elementCountOperator: Operator<{ axes: readonly number[] }> = {
  name: "elementCount",
  computes: "float32",
  reads: 0,
  infer: ([x]) => ({ shape: [], dtype: x!.dtype }),
  emit: (to, _, { axes }, value) => {
    const sizes = axes.map((axis) => value.inputs[0]!.shape[axis]!);
    const count = elementsOf(sizes);
    if (typeof count === "number") return to.numbers([], [count]);
    const product = to.node("ReduceProd", [to.sizes(sizes)], { keepdims: 0 });
    return to.cast(product, "int64", to.type);
  },
  gradient: () => [undefined],
};

/** The number of elements of x along `axes`, as a graph value of shape []. */
export const elementCount = (x: Value, axes: readonly number[] = every(x)): Value =>
  apply(elementCountOperator, [x], { axes });
