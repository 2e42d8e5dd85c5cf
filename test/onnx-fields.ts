/** Parses encoded ONNX models, as far as tests need. Field numbers are from the public onnx.proto. */

/** Fields of a protobuf message: numbers for varints, bytes for the rest. */
export function fields(bytes: Uint8Array): { field: number; value: number | Uint8Array }[] {
  const found: { field: number; value: number | Uint8Array }[] = [];
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++]!;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return Number(BigInt.asIntN(64, value));
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const [field, wire] = [tag >> 3, tag & 7];
    if (wire === 0) found.push({ field, value: varint() });
    else {
      const length = wire === 5 ? 4 : varint();
      found.push({ field, value: bytes.subarray(at, at + length) });
      at += length;
    }
  }
  return found;
}
/** The submessages, texts or bytes of one field. */
export const all = (message: Uint8Array, field: number) =>
  fields(message).flatMap((f) => (f.field === field ? [f.value as Uint8Array] : []));

/** The first text of a field. */
export const text = (message: Uint8Array, field: number) => new TextDecoder().decode(all(message, field)[0]);

export const elementTypes: Readonly<Record<number, string>> = {
  1: "float32",
  6: "int32",
  7: "int64",
  9: "bool",
  10: "float16",
  16: "bfloat16",
};

/** A node with the element types of its inputs and outputs; "" for an omitted operand. */
export interface TypedNode {
  readonly type: string;
  readonly inputs: readonly string[];
  readonly operands: readonly string[];
  readonly output: string;
  readonly result: string;
}

export interface TypedGraph {
  readonly nodes: readonly TypedNode[];
  /** Element types by tensor name; `initializers` also have their bytes, or none if they are in a file. */
  readonly types: ReadonlyMap<string, string>;
  readonly initializers: ReadonlyMap<string, Uint8Array | undefined>;
}

/** The graph of an encoded model with the element type of every tensor, inferred from its inputs. */
export function typedGraph(model: Uint8Array): TypedGraph {
  const [graph] = all(model, 7) as [Uint8Array];
  const types = new Map<string, string>();
  const initializers = new Map<string, Uint8Array | undefined>();
  const number = (message: Uint8Array, field: number) =>
    fields(message).find((f) => f.field === field)!.value as number;
  for (const input of all(graph, 11)) {
    types.set(text(input, 1), elementTypes[number(all(all(input, 2)[0]!, 1)[0]!, 1)]!);
  }
  for (const tensor of all(graph, 5)) {
    types.set(text(tensor, 8), elementTypes[number(tensor, 2)]!);
    initializers.set(text(tensor, 8), all(tensor, 9)[0]);
  }
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  const nodes = all(graph, 1).map((node): TypedNode => {
    const [type, output] = [text(node, 4), text(node, 2)];
    const inputs = all(node, 1).map(decode);
    const operands = inputs.map((name) => (name === "" ? "" : types.get(name)!));
    const cast = type === "Cast" ? elementTypes[number(all(node, 5)[0]!, 3)]! : undefined;
    const fixed = { Shape: "int64", Less: "bool" }[type];
    const result = cast ?? fixed ?? operands[type === "Where" ? 1 : type === "OneHot" ? 2 : 0]!;
    types.set(output, result);
    return { type, inputs, operands, output, result };
  });
  return { nodes, types, initializers };
}
