/** Nearest-neighbour upsampling. */
import { type Dim, multiplyDims, type Shape, sameDim } from "../dim.ts";
import type { Emitter } from "../emitter.ts";
import { apply, mismatch, noSecondDerivative, type Operator, type Value } from "../value.ts";

const nearest = { mode: "nearest", coordinate_transformation_mode: "asymmetric", nearest_mode: "floor" };

const isDoubled = (small: Value, large: Value): boolean =>
  [2, 3].every((axis) => sameDim(multiplyDims(small.shape[axis]!, 2), large.shape[axis]!));

const upsampleOperator: Operator<{ height: Dim; width: Dim }> = {
  name: "upsample",
  computes: "asInputs",
  infer: ([x], { height, width }) => {
    if (x!.shape.length !== 4) mismatch("upsample", [x!], "it is not [batch, channels, height, width]");
    return { shape: [x!.shape[0]!, x!.shape[1]!, height, width], dtype: x!.dtype };
  },
  emit: (to, [x], _, value) => {
    if (isDoubled(value.inputs[0]!, value)) {
      const scales = to.constant("float32", [4], new Uint8Array(Float32Array.of(1, 1, 2, 2).buffer));
      return to.node("Resize", [x!, "", scales], nearest);
    }
    return to.node("Resize", [x!, "", "", fourSizes(to, value.shape)], nearest);
  },
  gradient: ({ g, inputs: [x] }) => [apply(downsumOperator, [g, x!], null)],
};

/** ONNX Runtime takes sizes whose number it does not know for none, and sizes of an input of unknown shape are such. */
const fourSizes = (to: Emitter, shape: Shape): string => to.node("Reshape", [to.sizes(shape), to.integers([4])]);

/** Nearest-neighbour upsampling of x [batch, channels, h, w] to a given size, as `torch.nn.functional.interpolate`. */
export const upsample = (x: Value, height: Dim, width: Dim): Value => apply(upsampleOperator, [x], { height, width });

/** Sums the pixels that were copied from the same pixel. */
const downsumOperator: Operator<null> = {
  name: "downsum",
  computes: "asInputs",
  reads: 1,
  infer: ([, like]) => ({ shape: like!.shape, dtype: like!.dtype }),
  emit: (to, [g], _, value) => {
    const large = value.inputs[0]!;
    if (isDoubled(value, large)) {
      const mean = to.node("AveragePool", [g!], { kernel_shape: [2, 2], strides: [2, 2] });
      return to.node("Mul", [mean, to.numbers([], [4])]);
    }
    const rows = copies(to, value.shape[2]!, large.shape[2]!); // [height, large height]
    const columns = copies(to, value.shape[3]!, large.shape[3]!); // [width, large width]
    const narrowed = to.node("MatMul", [g!, to.node("Transpose", [columns], { perm: [1, 0] })]);
    return to.node("MatMul", [rows, narrowed]);
  },
  gradient: noSecondDerivative("downsum"),
};

/** A 0-1 matrix [small, large] of which pixel of a line was copied where: the upsampled identity. */
function copies(to: Emitter, small: Dim, large: Dim): string {
  const square = to.node("ConstantOfShape", [to.sizes([small, small])]);
  const identity = to.node("EyeLike", [square]);
  const picture = to.node("Unsqueeze", [identity, to.integers([0, 1])]);
  const stretched = to.node("Resize", [picture, "", "", fourSizes(to, [1, 1, small, large])], nearest);
  return to.cast(to.node("Squeeze", [stretched, to.integers([0, 1])]), "float32", to.type);
}
