/** Estimates the memory of a graph's run from its recording: its weights, and the values that are alive at the same time. */
import { bytesPerElement, type TensorRef } from "../bytes/tensor-ref.ts";
import { sizeOf } from "./dim.ts";
import { type Outputs, topological, type Value } from "./value.ts";

/** Bytes of a graph's weights. */
export interface WeightBytes {
  /** As they are stored in their files. */
  readonly stored: number;
  /** In float32, if they were converted. */
  readonly float32: number;
}

/** The weights of several graphs; one that they share counts once. */
export function weightBytes(graphs: readonly Outputs[]): WeightBytes {
  const refs = new Map<string, TensorRef>();
  for (const value of topological(graphs.flatMap((outputs) => Object.values(outputs)))) {
    const ref = weightOf(value);
    if (ref) refs.set(`${ref.source.name} ${ref.offset} ${ref.byteLength}`, ref);
  }
  let [stored, float32] = [0, 0];
  for (const { byteLength, dtype } of refs.values()) {
    stored += byteLength;
    float32 += (byteLength / bytesPerElement[dtype]) * 4;
  }
  return { stored, float32 };
}

/** A weight's place in its file; undefined for other values. */
const weightOf = ({ operator, attributes }: Value): TensorRef | undefined =>
  operator.name === "parameter" ? (attributes as { ref: TensorRef }).ref : undefined;

export interface ActivationOptions {
  /** The open sizes by name; those not given are 0, such as the rank of an absent adapter. */
  readonly sizes: Readonly<Record<string, number>>;
  /** Bytes of a floating-point element: 4, or 2 where most values are bfloat16 or float16. */
  readonly element: number;
  /** Whether weights that are not float32 are converted each time they are used. */
  readonly converts: boolean;
}

/**
 * The most bytes of inputs, outputs and values between them that are alive at once, if the runtime computes in the order of
 * recording, frees a value after its last use, and lets arithmetic overwrite an operand that nobody else needs.
 *
 * Attention counts its reordered queries, keys and values as well.
 */
export function activationBytes(outputs: Outputs, { sizes, element, converts }: ActivationOptions): number {
  const order = topological(Object.values(outputs));
  const root = new Map<Value, Value>();
  const last = new Map<Value, number>();
  for (const [at, value] of order.entries()) {
    root.set(value, views.has(value.operator.name) ? root.get(value.inputs[0]!)! : value);
    for (const input of value.inputs) last.set(root.get(input)!, at);
  }
  for (const value of Object.values(outputs)) last.set(root.get(value)!, order.length);
  const ending = new Map<number, Value[]>();
  for (const [value, at] of last) ending.set(at, [...(ending.get(at) ?? []), value]);

  const bytesOf = (value: Value): number => {
    if (leaves.has(value.operator.name)) return 0;
    const elements = value.shape.reduce<number>((product, d) => product * sizeOf(d, sizes), 1);
    return elements * (value.dtype === "float32" ? element : bytesPerElement[value.dtype]);
  };
  let [alive, peak] = [0, 0];
  for (const value of order) if (value.operator.name === "input") alive += bytesOf(value);
  for (const [at, value] of order.entries()) {
    const ends = ending.get(at) ?? [];
    const bytes = root.get(value) === value && value.operator.name !== "input" ? bytesOf(value) : 0;
    const overwritten =
      elementwise.has(value.operator.name) && ends.some((one) => isOwn(one) && bytesOf(one) === bytes);
    const working = value.operator.name === "attention" ? sum(value.inputs.slice(0, 3).map(bytesOf)) : 0;
    const converted = converts ? sum(value.inputs.map(convertedBytes)) : 0;
    peak = Math.max(peak, alive + (overwritten ? 0 : bytes) + working + converted);
    alive += bytes;
    for (const one of ends) if (one.operator.name !== "input") alive -= bytesOf(one);
    if (!last.has(root.get(value)!)) alive -= bytes;
  }
  return peak;
}

/** Operators that return their first input under another shape, or as it is. */
const views: ReadonlySet<string> = new Set(["reshape", "after", "recompute", "inFloat32"]);

/** Values that take no memory of a run: weights are counted elsewhere, constants are small. */
const leaves: ReadonlySet<string> = new Set(["parameter", "stored", "constant"]);

/** Operators whose result may take the place of an operand of its size. */
const elementwise: ReadonlySet<string> = new Set([
  ...["add", "subtract", "multiply", "divide", "minimum", "maximum", "select", "power"],
  ...["exp", "log", "sin", "cos", "sqrt", "sigmoid", "relu", "tanh", "erf", "silu", "quickGelu", "gelu", "softmax"],
]);

/** Whether the run itself made a value, so that it may be overwritten. */
const isOwn = ({ operator: { name } }: Value): boolean => name !== "input" && !leaves.has(name);

/** Bytes of a weight once converted to float32; 0 for other values and for float32. */
function convertedBytes(value: Value): number {
  const ref = weightOf(value);
  return ref && ref.dtype !== "float32" ? (ref.byteLength / bytesPerElement[ref.dtype]) * 4 : 0;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);
