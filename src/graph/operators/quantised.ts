/**
 * Int8 products. Values x are quantised to q, uint8, with x = (q - zero) * step. Each index of x's first axis has its own step,
 * so that results never depend on other rows.
 */
import { addDims, type Dim, floorDivide, multiplyDims } from "../dim.ts";
import type { Emitter } from "../emitter.ts";
import { apply, mismatch, noSecondDerivative, type Operator, type Value } from "../value.ts";
import type { ConvOptions } from "./convolution.ts";

const gradient = noSecondDerivative;

const stepOperator: Operator<{ zero: number }> = {
  name: "step",
  computes: "float32",
  infer: ([x]) => ({ shape: [x!.shape[0]!], dtype: "float32" }),
  emit: (to, [x], { zero }, value) => {
    const axes = to.integers([...value.inputs[0]!.shape.keys()].slice(1));
    const [high, low] = ["ReduceMax", "ReduceMin"].map((type) => to.node(type, [x!, axes], { keepdims: 0 }));
    const above = to.node("Div", [high!, to.numbers([], [255 - zero])]);
    const below = to.node("Div", [low!, to.numbers([], [-zero])]);
    return to.node("Max", [above, below, to.numbers([], [smallest])]);
  },
  gradient: gradient("step"),
};

/** The step of a row that is all zeros. */
const smallest = 1e-30;

/** The smallest steps [n] with which x [n, ...] fits into 0 to 255, with 0 at `zero`. */
export const stepOf = (x: Value, zero: number): Value => apply(stepOperator, [x], { zero });

const quantiseOperator: Operator<{ zero: number }> = {
  name: "quantise",
  computes: "float32",
  infer: ([x]) => ({ shape: x!.shape, dtype: "uint8" }),
  emit: (to, [x, step], { zero }) => {
    const zeros = to.node("Expand", [byte(to, [1], zero), to.node("Shape", [step!])]);
    return to.node("QuantizeLinear", [x!, step!, zeros], { axis: 0 });
  },
  gradient: gradient("quantise"),
};

/** x [n, ...] divided by its steps [n], plus `zero`, rounded to nearest: uint8. */
export const quantise = (x: Value, step: Value, zero: number): Value => apply(quantiseOperator, [x, step], { zero });

const productOperator: Operator<{ zero: number }> = {
  name: "product",
  computes: "float32",
  infer: (inputs) => {
    const [q, weight] = inputs as [Value, Value];
    if (q.shape.at(-1) !== weight.shape[0]) mismatch("product", inputs, "the inner sizes differ");
    return { shape: [...q.shape.slice(0, -1), weight.shape[1]!], dtype: "float32" };
  },
  emit: (to, [q, weight, scale], { zero }) =>
    to.node(
      "MatMulIntegerToFloat",
      [q!, weight!, to.numbers([], [1]), scale!, byte(to, [], zero)],
      {},
      "com.microsoft",
    ),
  gradient: gradient("product"),
};

/** (q [..., in] - zero) times weight [in, out], int8, times scale [out]; the sum is exact. */
export const product = (q: Value, weight: Value, scale: Value, zero: number): Value =>
  apply(productOperator, [q, weight, scale], { zero });

interface Kernel extends Required<ConvOptions> {
  /** Its height and width. */
  readonly kernel: readonly [number, number];
}

const placesOperator: Operator<Kernel & { zero: number }> = {
  name: "places",
  computes: "asInputs",
  infer: ([q], kernel) => {
    const [batch, channels, ...size] = q!.shape as [Dim, number, Dim, Dim];
    const [height, width] = resultSize(size, kernel);
    const [kh, kw] = kernel.kernel;
    return { shape: [batch, multiplyDims(height, width), kh * kw * channels], dtype: q!.dtype };
  },
  emit: (to, [q], at, value) => {
    const { kernel, padding, zero } = at;
    const [, channels, height, width] = value.inputs[0]!.shape as [Dim, number, Dim, Dim];
    const [top, left, bottom, right] = padding;
    const pixels = to.node("Transpose", [q!], { perm: [0, 2, 3, 1] });
    const pads = to.integers([0, top, left, 0, 0, bottom, right, 0]);
    const padded = padding.some((n) => n > 0) ? to.node("Pad", [pixels, pads, byte(to, [], zero)]) : pixels;
    const row = to.node("Reshape", [padded, to.integers([0, -1, channels])]);
    const index = placesIndex(to, [height, width], at);
    const met = to.node("Gather", [row, index], { axis: 1 });
    return to.node("Reshape", [met, to.integers([0, -1, kernel[0] * kernel[1] * channels])]);
  },
  gradient: gradient("places"),
};

/** For each result pixel and kernel position, the index of the pixel under it in the padded picture. */
function placesIndex(to: Emitter, [height, width]: readonly [Dim, Dim], at: Kernel): string {
  const { kernel, stride, padding } = at;
  const [kh, kw] = kernel;
  const [, left, , right] = padding;
  const upTo = (n: string) => {
    const first = to.node("Range", [whole(to, 0), to.node("Squeeze", [n]), whole(to, 1)]);
    return to.node("Mul", [first, whole(to, stride)]);
  };
  const [rows, columns] = emittedSize(to, [height, width], at);
  const down = to.node("Unsqueeze", [upTo(rows), to.integers([1, 2, 3])]);
  const across = to.node("Unsqueeze", [upTo(columns), to.integers([0, 2, 3])]);
  const below = to.node("Add", [down, to.node("Reshape", [counted(to, kh), to.integers([1, 1, kh, 1])])]);
  const beside = to.node("Add", [across, to.node("Reshape", [counted(to, kw), to.integers([1, 1, 1, kw])])]);
  const wide = to.sizes([addDims(width, left + right)]);
  return to.node("Reshape", [
    to.node("Add", [to.node("Mul", [below, wide]), beside]), // [height, width, kh, kw]
    to.integers([-1]),
  ]);
}

/** im2col: q [batch, channels, h, w] to [batch, result pixels, kh * kw * channels], padded with `zero`. */
export const places = (q: Value, kernel: Kernel, zero: number): Value =>
  apply(placesOperator, [q], { ...kernel, zero });

const pictureOperator: Operator<Kernel> = {
  name: "picture",
  computes: "asInputs",
  reads: 1,
  infer: ([pixels, from], kernel) => {
    const [batch, , ...size] = from!.shape as [Dim, Dim, Dim, Dim];
    return { shape: [batch, pixels!.shape[2]!, ...resultSize(size, kernel)], dtype: pixels!.dtype };
  },
  emit: (to, [pixels], kernel, value) => {
    const [, , height, width] = value.inputs[1]!.shape as [Dim, Dim, Dim, Dim];
    const [rows] = emittedSize(to, [height, width], kernel);
    const channels = value.shape[1] as number;
    const planes = to.node("Transpose", [pixels!], { perm: [0, 2, 1] });
    const shape = to.node("Concat", [to.integers([0, channels]), rows, to.integers([-1])], { axis: 0 });
    return to.node("Reshape", [planes, shape]);
  },
  gradient: gradient("picture"),
};

/** Pixels [batch, h * w, channels] as [batch, channels, h, w], the kernel's result size for an input of the size of `from`. */
export const picture = (pixels: Value, from: Value, kernel: Kernel): Value =>
  apply(pictureOperator, [pixels, from], kernel);

const resultSize = (size: readonly Dim[], { kernel, stride, padding }: Kernel): [Dim, Dim] =>
  [0, 1].map((axis) =>
    addDims(floorDivide(addDims(size[axis]!, padding[axis]! + padding[axis + 2]! - kernel[axis]!), stride), 1),
  ) as [Dim, Dim];

/** {@link resultSize} at run time, [1] each, since no value emitted so far has the quotient as a size. */
const emittedSize = (to: Emitter, size: readonly [Dim, Dim], { kernel, stride, padding }: Kernel): [string, string] =>
  [0, 1].map((axis) => {
    const room = addDims(size[axis]!, padding[axis]! + padding[axis + 2]! - kernel[axis]!);
    if (stride === 1) return to.sizes([addDims(room, 1)]);
    return to.node("Add", [to.node("Div", [to.sizes([room]), to.integers([stride])]), to.integers([1])]);
  }) as [string, string];

const byte = (to: Emitter, shape: readonly number[], value: number): string =>
  to.constant("uint8", shape, Uint8Array.of(value));

const whole = (to: Emitter, value: number): string =>
  to.constant("int64", [], new Uint8Array(BigInt64Array.of(BigInt(value)).buffer));

/** 0 to n - 1. */
const counted = (to: Emitter, n: number): string => to.integers([...Array(n).keys()]);
