/**
 * Rewrites products whose weights may be int8 as int8 products, for targets that have them: the network is described once, in
 * floating point.
 *
 * Weights have a scale per output channel. Activations are quantised dynamically: per token in linear layers, per pixel in 1x1
 * convolutions, per picture in others, so that a row of a batch never depends on the others.
 */
import type { TensorRef } from "../bytes/tensor-ref.ts";
import { type Dim, elementsOf, multiplyDims } from "./dim.ts";
import type { ConvOptions } from "./operators/convolution.ts";
import { add, multiply } from "./operators/elementwise.ts";
import { reshape, transpose } from "./operators/layout.ts";
import { mayBeInt8, parameter, stored } from "./operators/leaves.ts";
import { picture, places, product, quantise, stepOf } from "./operators/quantised.ts";
import { apply, type Outputs, topological, type Value } from "./value.ts";

/** A weight as int8: its values are `weight` times `scale`. */
export interface Int8Weight {
  /** int8 [in, out]; for a convolution [kh * kw * in, out]. */
  readonly weight: TensorRef;
  /** float32 [out]. */
  readonly scale: TensorRef;
}

/** The weights that {@link quantised} replaces, as stored in their files; each once. */
export function int8Weights(outputs: Outputs): TensorRef[] {
  const found = new Map<string, TensorRef>();
  for (const value of topological(Object.values(outputs))) {
    const ref = weightOf(value);
    if (ref) found.set(`${ref.source.name} ${ref.offset} ${ref.byteLength}`, ref);
  }
  return [...found.values()];
}

/** `outputs` with int8 products for linear layers and convolutions whose weights may be int8. */
export function quantised(outputs: Outputs, int8: (ref: TensorRef) => Int8Weight): Outputs {
  const made = new Map<Value, Value>();
  /** Quantised operands, shared by all products with them. */
  const rows = new Map<Value, Operand>();
  for (const value of topological(Object.values(outputs))) {
    const inputs = value.inputs.map((v) => made.get(v)!);
    const ref = weightOf(value);
    if (!ref) {
      const same = inputs.every((v, i) => v === value.inputs[i]);
      made.set(value, same ? value : apply(value.operator, inputs, value.attributes));
      continue;
    }
    const [x, , bias] = inputs as [Value, Value, Value?];
    const { weight, scale } = int8(ref);
    const factors = [stored(weight), parameter(scale)] as const;
    if (value.operator.name === "conv") {
      made.set(value, ofSinglePixels(value) ? mixed(x, factors, bias, value) : convolved(x, factors, bias, value));
      continue;
    }
    const operand = rows.get(x) ?? byToken(x);
    rows.set(x, operand);
    const y = multiply(product(operand.q, ...factors, operand.zero), operand.step);
    made.set(value, reshape(y, value.shape));
  }
  return Object.fromEntries(Object.entries(outputs).map(([name, value]) => [name, made.get(value)!]));
}

/** The weight of a product, if it may be int8. */
function weightOf({ operator, attributes, inputs }: Value): TensorRef | undefined {
  const linear = operator.name === "matmul" && (attributes as { transposed: string }).transposed === "second";
  const whole = operator.name === "conv" && (attributes as Required<ConvOptions>).groups === 1;
  return linear || whole ? mayBeInt8(inputs[1]!) : undefined;
}

interface Operand {
  readonly q: Value;
  readonly step: Value;
  readonly zero: number;
}

/** x [..., in] as [tokens, in], with a step per token. */
function byToken(x: Value, zero = zeroOf(x)): Operand {
  const flat = reshape(x, [elementsOf(x.shape.slice(0, -1)), x.shape.at(-1)!]);
  const step = stepOf(flat, zero); // [tokens]
  return { q: quantise(flat, step, zero), step: reshape(step, [step.shape[0]!, 1]), zero };
}

/** Whether a convolution is a linear layer applied to each pixel. */
function ofSinglePixels({ inputs, attributes }: Value): boolean {
  const { stride, padding } = attributes as Required<ConvOptions>;
  return stride === 1 && [...inputs[1]!.shape.slice(2), ...padding].every((n, i) => n === (i < 2 ? 1 : 0));
}

function mixed(x: Value, factors: readonly [Value, Value], bias: Value | undefined, { shape }: Value): Value {
  const [batch, channels, height, width] = x.shape as [Dim, Dim, Dim, Dim];
  const pixels = multiplyDims(height, width);
  const { q, step, zero } = byToken(transpose(reshape(x, [batch, channels, pixels]), [0, 2, 1]), zeroOf(x));
  const y = multiply(product(q, ...factors, zero), step); // [batch * pixels, out]
  const tokens = reshape(bias ? add(y, bias) : y, [batch, pixels, shape[1]!]);
  return reshape(transpose(tokens, [0, 2, 1]), shape);
}

function convolved(
  x: Value, // [batch, in, h, w]
  factors: readonly [Value, Value],
  bias: Value | undefined,
  { inputs, attributes }: Value,
): Value {
  const kernel = { ...(attributes as Required<ConvOptions>), kernel: inputs[1]!.shape.slice(2) as [number, number] };
  const zero = zeroOf(x);
  const step = stepOf(x, zero); // [batch]
  const met = places(quantise(x, step, zero), kernel, zero); // [batch, pixels, kh * kw * in]
  const y = multiply(product(met, ...factors, zero), reshape(step, [x.shape[0]!, 1, 1])); // [batch, pixels, out]
  return picture(bias ? add(y, bias) : y, x, kernel);
}

/** The zero point, low after SiLU, whose values are never below -0.28 and often far above 0. */
const zeroOf = (x: Value): number => (x.operator.name === "silu" ? 16 : 128);
