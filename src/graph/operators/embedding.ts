/** Embedding lookup. */
import { type Dim, elementsOf } from "../dim.ts";
import { apply, mismatch, noSecondDerivative, type Operator, type Value } from "../value.ts";
import { reshape } from "./layout.ts";
import { matmulOf } from "./products.ts";

const gatherOperator: Operator<null> = {
  name: "gather",
  computes: "asInputs",
  infer: (inputs) => {
    const [table, indices] = inputs as [Value, Value];
    if (indices.dtype !== "int32") mismatch("gather", inputs, `indices are ${indices.dtype}, not int32`);
    return { shape: [...indices.shape, ...table.shape.slice(1)], dtype: table.dtype };
  },
  emit: (to, inputs) => to.node("Gather", inputs, { axis: 0 }),
  // Summing rows as a product with a one-hot matrix adds in the same order on every run.
  gradient: ({ g, inputs }) => {
    const [table, indices] = inputs as [Value, Value];
    const count = elementsOf(indices.shape);
    const picked = apply(oneHotOperator, [reshape(indices, [count]), table], null); // [count, n]
    const rows = reshape(g, [count, elementsOf(table.shape.slice(1))]);
    return [reshape(matmulOf(picked, rows, "first"), table.shape), undefined];
  },
};

/** Rows of `table` [n, ...] selected by int32 `indices` [...]. */
export const gather = (table: Value, indices: Value): Value => apply(gatherOperator, [table, indices], null);

const oneHotOperator: Operator<null> = {
  name: "oneHot",
  computes: "float32",
  reads: 1,
  infer: ([indices, table]) => ({ shape: [indices!.shape[0]!, table!.shape[0] as Dim], dtype: "float32" }),
  emit: (to, [indices], _, value) => {
    const wide = to.node("Cast", [indices!], { to: 7 });
    const offOn = to.numbers([2], [0, 1]);
    return to.node("OneHot", [wide, to.sizes([value.shape[1]!]), offOn]);
  },
  gradient: noSecondDerivative("oneHot"),
};
