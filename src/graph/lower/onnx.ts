/**
 * Encodes recorded values as an ONNX model in memory.
 *
 * Weights stay in the user's files: each becomes an initializer with external data (file, offset, length). Field numbers are
 * those of onnx.proto.
 */

import { type FloatDType, fromFloat32 } from "../../bytes/elements.ts";
import type { ByteSource } from "../../bytes/source.ts";
import type { DType, TensorRef } from "../../bytes/tensor-ref.ts";
import { type Dim, dimKey, type Expression, polynomial, type Shape } from "../dim.ts";
import type { Attribute, Emitter } from "../emitter.ts";
import type { Target } from "../target.ts";
import { type Outputs, ShapeError, topological, type Value } from "../value.ts";
import { isReal, numberTypes, operandsOf } from "./number-types.ts";

import { Message } from "./protobuf.ts";

const onnxType: Readonly<Record<DType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  bfloat16: 16,
  float8_e4m3: 17,
  float8_e5m2: 19,
  int16: 5,
  uint16: 4,
  uint32: 12,
  uint64: 13,
};

const floats: ReadonlySet<DType> = new Set(["float32", "float16", "bfloat16"]);

const opset = 20;
const irVersion = 10;

export interface Encoded {
  readonly model: Uint8Array;
  readonly inputs: ReadonlyMap<string, { readonly dtype: DType; readonly shape: Shape }>;
  readonly outputs: ReadonlyMap<string, { readonly shape: Shape }>;
  /** The root folder of external data locations; undefined if the graph references no file. */
  readonly root: string | undefined;
  /** The files of external data. */
  readonly files: readonly string[];
  /** Sources of external data that are not files, by their location in the graph. */
  readonly handed: ReadonlyMap<string, ByteSource>;
}

/**
 * Where a runtime finds a weight, as external data's location and offset. A weight that one product uses as it is and another
 * transposed is requested a second time, as its twin.
 */
export type Place = (ref: TensorRef, twin: 0 | 1) => { readonly location: string; readonly offset: string };

/**
 * Encodes the graph of `outputs` for a target.
 *
 * `place` says where weights are; by default in their files, below {@link Encoded.root}.
 */
export function encode(outputs: Outputs, target: Target, place?: Place): Encoded {
  const nodes: Message[] = [];
  const initializers: Message[] = [];
  const inPlaceWeights: Message[] = [];
  const inputs = new Map<string, { dtype: DType; shape: Shape }>();
  const shared = new Map<string, string>();
  const openSizes = new Map<string, { name: string; axis: number }>();
  const handed = new Map<string, ByteSource>();
  const files = new Set<string>();
  /** Names of either twin, by name, of weights and of values computed from them alone. */
  const weights = new Map<string, (twin: 0 | 1) => string>();
  const constants = new Set<string>();
  let root: string | undefined;
  let serial = 0;
  const fresh = (stem: string) => `${stem}_${serial++}`;

  const once = (key: string, make: () => string): string => {
    const known = shared.get(key);
    if (known !== undefined) return known;
    const name = make();
    shared.set(key, name);
    return name;
  };

  /** One size as an int64 tensor of one element: a constant, an axis of a value, or a polynomial in such axes. */
  const size = (d: Dim): string => {
    if (typeof d === "number") return emitter.integers([d]);
    return once(`size ${d.key}`, () => {
      const source = openSizes.get(d.key);
      if (source) return emitter.node("Shape", [source.name], { start: source.axis, end: source.axis + 1 });
      const terms = polynomial(d).map(({ coefficient, atoms }) => {
        const factors = atoms.map((atom) => {
          return atom.key === d.key ? partOf(d) : size(atom);
        });
        if (coefficient !== 1 || factors.length === 0) factors.push(emitter.integers([coefficient]));
        return factors.reduce((a, b) => emitter.node("Mul", [a, b]));
      });
      return terms.reduce((a, b) => emitter.node("Add", [a, b]));
    });
  };

  /** Computes a symbol that is not the size of any axis from an axis that is a multiple of it. */
  const partOf = ({ key }: Expression): string => {
    for (const [known, { name, axis }] of openSizes) {
      const times = known.endsWith(`*${key}`) ? Number(known.slice(0, -key.length - 1)) : Number.NaN;
      if (!Number.isInteger(times)) continue;
      const whole = emitter.node("Shape", [name], { start: axis, end: axis + 1 });
      return emitter.node("Div", [whole, emitter.integers([times])]);
    }
    throw new ShapeError(`no value computed so far has an axis of size ${key}`);
  };

  /** The parts of the emitter that do not depend on the current operator. */
  const emitter: Omit<Emitter, "type" | "operandTypes" | "numbers"> = {
    target,
    node(type, given, attributes = {}, domain = "") {
      const out = fresh(type);
      const node = new Message();
      // A weight's use as it is and its use transposed must not share an address.
      const twin = attributes.transB === 1 || attributes.transA === 1 || type === "Conv" ? 0 : 1;
      const product = ["MatMul", "FusedMatMul", "Conv", "ConvTranspose"].includes(type);
      const ins = place && product ? given.map((name) => weights.get(name)?.(twin) ?? name) : given;
      for (const name of ins) node.text(1, name);
      node.text(2, out).text(3, out).text(4, type);
      for (const [name, value] of Object.entries(attributes)) node.message(5, encodeAttribute(name, value));
      if (domain !== "") node.text(7, domain);
      nodes.push(node);
      // Values computed from a weight alone are folded into constants, so they have twins as well.
      const [first, ...others] = given;
      const made = place && !product && first !== undefined ? weights.get(first) : undefined;
      if (made && others.every((name) => constants.has(name))) {
        weights.set(out, (twin) =>
          twin === 0 ? out : once(`twin ${out}`, () => emitter.node(type, [made(1), ...others], attributes, domain)),
        );
      }
      return out;
    },
    cast(name, from, to) {
      return from === to ? name : emitter.node("Cast", [name], { to: onnxType[to] });
    },
    constant(dtype, shape, data) {
      const key = data.length <= 1024 ? `constant ${dtype} ${shape} ${data}` : fresh("unique");
      return once(key, () => {
        const name = fresh("constant");
        initializers.push(tensorHeader(name, dtype, shape).bytes(9, data));
        constants.add(name);
        return name;
      });
    },
    integers(values) {
      const data = new BigInt64Array(values.map(BigInt));
      return emitter.constant("int64", [values.length], new Uint8Array(data.buffer));
    },
    external(ref, inPlace = false) {
      return once(`external ${ref.source.name} ${ref.offset} ${ref.dtype} ${ref.shape}`, () => {
        const name = external(ref, 0);
        weights.set(name, (twin) => (twin === 0 ? name : once(`twin ${name}`, () => external(ref, 1))));
        // An initializer that is also an input could be overridden, so the runtime cannot change its layout.
        if (target.mapped === "all" ? floats.has(ref.dtype) : inPlace && target.mapped === "asked")
          inPlaceWeights.push(valueInfo(name, ref.dtype, ref.shape, target));
        return name;
      });
    },
    input(name, dtype, shape) {
      if (inputs.has(name)) throw new ShapeError(`two inputs are named ${name}`);
      inputs.set(name, { dtype, shape });
      return name;
    },
    sizes(shape) {
      if (shape.every((d) => typeof d === "number")) return emitter.integers(shape as number[]);
      const parts = shape.map((d) => size(d));
      return emitter.node("Concat", parts, { axis: 0 });
    },
  };

  function external(ref: TensorRef, twin: 0 | 1): string {
    const name = fresh(ref.name);
    const { bytes, path } = ref.source;
    if (bytes) {
      const own = bytes.subarray(ref.offset, ref.offset + ref.byteLength);
      initializers.push(tensorHeader(name, ref.dtype, ref.shape).bytes(9, own));
      return name;
    }
    if (path !== undefined) files.add(path);
    const { location, offset } = place?.(ref, twin) ?? { location: locationOf(ref.source), offset: String(ref.offset) };
    const tensor = tensorHeader(name, ref.dtype, ref.shape);
    for (const [key, value] of [
      ["location", location],
      ["offset", offset],
      ["length", String(ref.byteLength)],
    ] as const) {
      tensor.message(13, new Message().text(1, key).text(2, value));
    }
    initializers.push(tensor.int(14, 1));
    return name;
  }

  /** A source's location for the runtime: its path below the root folder, or its name if it is handed over. */
  function locationOf(source: ByteSource): string {
    if (source.path === undefined) {
      handed.set(source.name, source);
      return source.name;
    }
    const fileRoot = rootOf(source.path);
    if (root !== undefined && root !== fileRoot) {
      throw new ShapeError(`weights lie on two drives, ${root} and ${fileRoot}: put the model's files on one drive`);
    }
    root = fileRoot;
    return source.path.slice(fileRoot.length).replaceAll("\\", "/");
  }

  const order = topological(Object.values(outputs));
  const { computed, asked } = numberTypes(order, Object.values(outputs), target.real);
  /** Each value's names by number type; its own type comes first. */
  const names = new Map<Value, Map<DType, string>>();
  const own = (value: Value) => [...names.get(value)!][0]!;
  const write = (value: Value, type: DType): string => {
    const read = operandsOf(value);
    const operands = value.inputs.map((input, i) =>
      i < read.length && isReal(input) ? ([type, names.get(input)!.get(type)!] as const) : own(input),
    );
    const to: Emitter = {
      ...emitter,
      type,
      operandTypes: operands.map(([operandType]) => operandType),
      numbers: (shape, values, as = type as FloatDType) =>
        emitter.constant(as, shape, fromFloat32(Float32Array.from(values), as)),
    };
    const ins = operands.map(([, name]) => name);
    return value.operator.emit(to, ins, value.attributes, value);
  };
  // Leaves first, so that the sizes of inputs are available to all other values.
  for (const value of [...order.filter(isLeaf), ...order.filter((v) => !isLeaf(v))]) {
    const type = computed.get(value)!;
    const written = new Map<DType, string>();
    names.set(value, written);
    if (value.operator.yields) {
      for (const wanted of asked.get(value) ?? [type]) written.set(wanted, write(value, wanted));
    } else {
      const name = write(value, type);
      const ownType = isReal(value) ? type : value.dtype;
      written.set(ownType, name);
      for (const wanted of asked.get(value) ?? []) written.set(wanted, emitter.cast(name, ownType, wanted));
    }
    const [, name] = own(value);
    value.shape.forEach((d, axis) => {
      if (typeof d !== "number" && !openSizes.has(d.key)) openSizes.set(d.key, { name, axis });
    });
  }

  const graph = new Message();
  for (const [name, value] of Object.entries(outputs)) {
    if (inputs.has(name)) throw new ShapeError(`an output and an input are both named ${name}`);
    const result = names.get(value)!.get(value.dtype)!;
    nodes.push(new Message().text(1, result).text(2, name).text(3, `output ${name}`).text(4, "Identity"));
  }
  for (const node of nodes) graph.message(1, node);
  graph.text(2, "tiller");
  for (const tensor of initializers) graph.message(5, tensor);
  for (const [name, { dtype, shape }] of inputs) graph.message(11, valueInfo(name, dtype, shape, target));
  for (const weight of inPlaceWeights) graph.message(11, weight);
  for (const [name, { dtype, shape }] of Object.entries(outputs))
    graph.message(12, valueInfo(name, dtype, shape, target));

  const model = new Message()
    .int(1, irVersion)
    .text(2, "tiller")
    .message(7, graph)
    .message(8, new Message().text(1, "").int(2, opset))
    .message(8, new Message().text(1, "com.microsoft").int(2, 1));
  return { model: model.finish(), inputs, outputs: new Map(Object.entries(outputs)), root, files: [...files], handed };
}

const isLeaf = ({ inputs }: Value): boolean => inputs.length === 0;

const tensorHeader = (name: string, dtype: DType, shape: readonly number[]): Message => {
  const tensor = new Message();
  for (const d of shape) tensor.int(1, d);
  return tensor.int(2, onnxType[dtype]).text(8, name);
};

function valueInfo(name: string, dtype: DType, shape: Shape, { shapes }: Target): Message {
  const type = new Message().int(1, onnxType[dtype]);
  const dims = new Message();
  for (const d of shape)
    dims.message(1, typeof d === "number" ? new Message().int(1, d) : new Message().text(2, dimKey(d)));
  if (shapes === "all" || shape.every((d) => typeof d === "number")) type.message(2, dims);
  return new Message().text(1, name).message(2, new Message().message(1, type));
}

function encodeAttribute(name: string, value: Attribute): Message {
  const attribute = new Message().text(1, name);
  if (typeof value === "number") return attribute.int(3, value).int(20, 2);
  if (typeof value === "string") return attribute.text(4, value).int(20, 3);
  if ("float" in value) return attribute.float(2, value.float).int(20, 1);
  for (const v of value) attribute.int(8, v);
  return attribute.int(20, 7);
}

/** The drive or "/" an absolute path starts with. */
function rootOf(file: string): string {
  const root = /^(?:[A-Za-z]:)?[\\/]/.exec(file)?.[0];
  if (root === undefined) throw new ShapeError(`${file} is not an absolute path`);
  return root;
}
