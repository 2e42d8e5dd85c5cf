/** Average pooling. */
import { addDims, type Dim, floorDivide } from "../dim.ts";
import { apply, mismatch, type Operator, type Value } from "../value.ts";

const halved = (d: Dim): Dim => floorDivide(addDims(d, 1), 2);

const averageOperator: Operator<null> = {
  name: "average",
  computes: "real",
  infer: ([x]) => {
    if (x!.shape.length !== 4) mismatch("average", [x!], "it is not [batch, channels, height, width]");
    const [batch, channels, height, width] = x!.shape as [Dim, Dim, Dim, Dim];
    return { shape: [batch, channels, halved(height), halved(width)], dtype: x!.dtype };
  },
  emit: (to, inputs) => to.node("AveragePool", inputs, { kernel_shape: [2, 2], strides: [2, 2], ceil_mode: 1 }),
  gradient: () => {
    throw new Error("average has no gradient: only drawing uses it");
  },
};

/** Means over 2x2 pixels of x [batch, channels, h, w]; at an odd edge, over the pixels that exist. */
export const average = (x: Value): Value => apply(averageOperator, [x], null);
