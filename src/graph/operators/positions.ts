/** Indices along an axis, for embeddings of positions. */
import { apply, type Operator, type Value } from "../value.ts";

const positionsOperator: Operator<{ axis: number }> = {
  name: "positions",
  computes: "float32",
  reads: 0,
  infer: ([x], { axis }) => ({ shape: [x!.shape[axis]!], dtype: "float32" }),
  emit: (to, _, { axis }, value) => {
    const size = to.node("Squeeze", [to.sizes([value.inputs[0]!.shape[axis]!])]);
    const whole = (n: number) => to.constant("int64", [], new Uint8Array(BigInt64Array.of(BigInt(n)).buffer));
    return to.cast(to.node("Range", [whole(0), size, whole(1)]), "int64", to.type);
  },
  gradient: () => [undefined],
};

/** 0, 1, 2 and so on along an axis of x, as float32 [size of the axis]. Only the shape of x is used. */
export const positions = (x: Value, axis: number): Value => apply(positionsOperator, [x], { axis });
