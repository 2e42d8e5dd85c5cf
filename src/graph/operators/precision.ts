/** Forces float32 where a lower precision would be used. */
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
