/** The number types of single values. */
import type { FloatDType } from "../../bytes/elements.ts";
import { apply, type Operator, type Value } from "../value.ts";

const inFloat32Operator: Operator<null> = {
  name: "inFloat32",
  computes: "float32",
  infer: ([x]) => ({ shape: x!.shape, dtype: x!.dtype }),
  emit: (_, [x]) => x!,
  gradient: ({ g }) => [g],
};

/** x in float32, along with the values computed from it, up to the next product or activation. */
export const inFloat32 = (x: Value): Value => apply(inFloat32Operator, [x], null);

const roundedOperator: Operator<FloatDType> = {
  name: "rounded",
  computes: "float32",
  infer: ([x]) => ({ shape: x!.shape, dtype: x!.dtype }),
  emit: (to, [x], dtype) => to.cast(to.cast(x!, "float32", dtype), dtype, "float32"),
  gradient: ({ g }) => [g],
};

/** x as numbers of `dtype` have it, in float32. */
export const rounded = (x: Value, dtype: FloatDType): Value => apply(roundedOperator, [x], dtype);
