/** Reads and writes safetensors files. Only the header is read: weights stay in the file, where graphs refer to them. */
import { withSource, writeAtomically } from "#bytes";
import { TillerError } from "../errors/index.ts";
import { anyToFloat32, isFloat, toFloat32 } from "./elements.ts";
import { declaredLength, kindOfHead, readHead, refusalOf } from "./file-kind.ts";
import { type HeaderEntry, HeaderError, maxName, parseHeader, quoted } from "./safetensors-header.ts";
import type { ByteSource } from "./source.ts";
import { bytesPerElement, type ComputedDType, type DType, type TensorRef } from "./tensor-ref.ts";

/** A safetensors file's contents, in header order. */
export interface Safetensors {
  /** Tensors by name. */
  readonly tensors: ReadonlyMap<string, TensorRef>;
  /** The header's metadata. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** A tensor to write: its bytes, or pieces made on demand, so that no tensor has to be in memory as a whole. */
export interface TensorData {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: Uint8Array | (() => AsyncIterable<Uint8Array>);
}

/** Largest length of one array, in bytes. */
const mostBytes = 2 ** 32;

const dtypes: Readonly<Record<DType, string>> = {
  float32: "F32",
  float16: "F16",
  bfloat16: "BF16",
  float64: "F64",
  int64: "I64",
  int32: "I32",
  uint8: "U8",
  bool: "BOOL",
  float8_e4m3: "F8_E4M3",
  float8_e5m2: "F8_E5M2",
  int8: "I8",
  int16: "I16",
  uint16: "U16",
  uint32: "U32",
  uint64: "U64",
};
const byCode = new Map(Object.entries(dtypes).map(([dtype, code]) => [code, dtype as DType]));
/** Types of the format that Tiller does not compute with. */
const foreign = new Set("C64 F4 F6_E2M3 F6_E3M2 F8_E8M0 F8_E4M3FNUZ F8_E5M2FNUZ".split(" "));

/**
 * Reads and checks the header of a safetensors file, as strictly as the reference implementation: tensors are contiguous,
 * without gaps or overlaps, fill the file exactly, and are as long as their shape and dtype require.
 *
 * Symbolic links are resolved, because the runtime refuses them. Only the header is read.
 *
 * @throws TillerError if the file is missing, not a safetensors file, damaged, or holds a dtype Tiller cannot compute with.
 */
export function readSafetensors(file: string): Promise<Safetensors> {
  return withSource(file, async (source) => {
    const head = await readHead(source);
    const kind = kindOfHead(head);
    if (kind === "safetensors") return openSafetensors(file, source, head);
    if (kind === "other") throw refusalOf(head, source.size, file);
    throw new TillerError("safetensors-invalid", `${file} is a PyTorch file; a safetensors file is needed.`, {
      paths: [file],
    });
  });
}

/**
 * The tensors of a source whose JSON header is `header`.
 *
 * @throws TillerError as {@link readSafetensors} does.
 */
export function parseSafetensors(header: Uint8Array, source: ByteSource): Safetensors {
  const { name: path, size } = source;
  const damaged = (what: string) =>
    new TillerError("safetensors-damaged", `${path} is damaged: ${what}. Download or export it again.`, {
      paths: [path],
    });
  const { entries, metadata } = (() => {
    try {
      return parseHeader(new TextDecoder("utf-8", { fatal: true }).decode(header));
    } catch (error) {
      if (error instanceof HeaderError) throw damaged(error.message);
      if (error instanceof TypeError) throw damaged("its header is not UTF-8 text");
      throw error;
    }
  })();
  const start = 8 + header.byteLength;
  const dataLength = size - start;
  const tensors = new Map<string, TensorRef>();
  for (const entry of entries) {
    if (entry.name.length > maxName) throw damaged(`it has a tensor name of ${entry.name.length} characters`);
    const dtype = dtypeOf(entry, path);
    const length = byteLength(entry.shape, dtype);
    const shape = `[${entry.shape.join(", ")}]`;
    if (entry.end - entry.begin !== length) {
      throw damaged(
        `tensor ${quoted(entry.name)} of shape ${shape} and dtype ${entry.dtype} needs ${length} bytes, ` +
          `but its data_offsets ${entry.begin} to ${entry.end} hold ${entry.end - entry.begin}`,
      );
    }
    if (entry.end > dataLength) {
      throw damaged(
        `tensor ${quoted(entry.name)} ends at byte ${entry.end} of its data, which has only ${dataLength} bytes, ` +
          "as if its download had stopped early",
      );
    }
    tensors.set(entry.name, {
      name: entry.name,
      source,
      offset: start + entry.begin,
      byteLength: length,
      shape: entry.shape,
      dtype,
    });
  }
  let filled = 0;
  for (const { name, begin, end } of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin < filled) throw damaged(`tensor ${quoted(name)} overlaps another one`);
    if (begin > filled) throw damaged(`bytes ${filled} to ${begin} before tensor ${quoted(name)} belong to no tensor`);
    filled = end;
  }
  if (filled !== dataLength) throw damaged(`its tensors end at byte ${filled} of ${dataLength} bytes of data`);
  return { tensors, metadata };
}

/**
 * Writes tensors to a safetensors file atomically. Wider dtypes come first, so that every tensor is aligned to its element
 * size, as in the reference implementation.
 *
 * @param metadata Text for the header. Transformers requires `{ format: "pt" }` in model files.
 * @throws TillerError if the file cannot be written. RangeError if data and shape disagree.
 */
export async function writeSafetensors(
  file: string,
  tensors: Iterable<TensorData>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const sorted = [...tensors].sort(
    (a, b) => bytesPerElement[b.dtype] - bytesPerElement[a.dtype] || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0),
  );
  const header = new Map<string, unknown>();
  if (Object.keys(metadata).length > 0) header.set("__metadata__", metadata);
  let end = 0;
  for (const { name, dtype, shape } of sorted) {
    if (header.has(name) || name === "__metadata__") throw new RangeError(`${name}: the name is already taken`);
    const begin = end;
    end += byteLength(shape, dtype);
    header.set(name, { dtype: dtypes[dtype], shape, data_offsets: [begin, end] });
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const length = Math.ceil(json.byteLength / 8) * 8;
  const head = new Uint8Array(8 + length).fill(0x20);
  new DataView(head.buffer).setBigUint64(0, BigInt(length), true);
  head.set(json, 8);

  await writeAtomically(file, async (put) => {
    await put(head);
    for (const { name, dtype, shape, data } of sorted) {
      let written = 0;
      for await (const piece of data instanceof Uint8Array ? [data] : data()) {
        await put(piece);
        written += piece.byteLength;
      }
      if (written !== byteLength(shape, dtype)) {
        throw new RangeError(`${name}: ${written} bytes for shape [${shape.join(", ")}] of ${dtype}`);
      }
    }
  });
}

/**
 * The stored bytes of a tensor, row-major and little-endian.
 *
 * @throws TillerError if the file is gone or shorter than when it was opened.
 */
export async function readBytes(
  { name, source, offset, byteLength }: TensorRef,
  memory?: ArrayBuffer,
): Promise<Uint8Array<ArrayBuffer>> {
  if (byteLength > mostBytes)
    throw new TillerError("file-too-large", `${name} in ${source.name} is too large to read.`, {
      paths: [source.name],
    });
  const bytes = await source.read(offset, byteLength, memory);
  if (bytes.byteLength === byteLength) return bytes;
  throw new TillerError(
    "file-changed",
    `${source.name} is shorter than when it was opened: ${name} is no longer in it. Load the model again.`,
    { paths: [source.name] },
  );
}

/**
 * A tensor's elements as float32, in row-major order. F16 and BF16 are exact, F64 is rounded to nearest.
 *
 * @throws TillerError if the tensor holds integers or booleans, or the file has changed.
 */
export async function readFloat32(ref: TensorRef): Promise<Float32Array> {
  const { dtype } = ref;
  if (!isFloat(dtype))
    throw new TillerError(
      "dtype-unsupported",
      `${ref.name} in ${ref.source.name} holds ${dtype}, where floating-point numbers are needed.`,
      { paths: [ref.source.name] },
    );
  return toFloat32(await readBytes(ref), dtype);
}

/**
 * A tensor's elements as float32, from any stored type, including integers and 8-bit floats.
 *
 * @throws TillerError if the file has changed.
 */
export const readNumbers = async (ref: TensorRef): Promise<Float32Array> =>
  anyToFloat32(await readBytes(ref), ref.dtype);

/**
 * Refuses element types that networks cannot be computed in.
 *
 * @throws TillerError naming the first tensor of such a type.
 */
export function refuseStoredTypes(tensors: ReadonlyMap<string, TensorRef>): void {
  for (const { name, source, dtype } of tensors.values())
    if (!isComputed(dtype)) throw storedType(name, dtypes[dtype], source.name);
}

const isComputed = (dtype: DType): dtype is ComputedDType =>
  isFloat(dtype) || dtype === "int64" || dtype === "int32" || dtype === "uint8" || dtype === "bool";

const storedType = (name: string, dtype: string, file: string): TillerError =>
  new TillerError(
    "dtype-unsupported",
    `${file} stores ${quoted(name)} as ${dtype}, which Tiller cannot compute with: use an F16, BF16 or F32 version.`,
    { paths: [file] },
  );

/** Bytes of a contiguous tensor of that shape. */
export function byteLength(shape: readonly number[], dtype: DType): number {
  return shape.reduce((a, b) => a * b, bytesPerElement[dtype]);
}

/**
 * The tensors of a safetensors file whose beginning is `head`.
 *
 * @throws TillerError as {@link readSafetensors} does.
 */
export async function openSafetensors(file: string, source: ByteSource, head: Uint8Array): Promise<Safetensors> {
  const length = declaredLength(head);
  const left = source.size - 8;
  if (length > BigInt(left)) {
    throw new TillerError(
      "safetensors-damaged",
      `${file} is damaged, perhaps an incomplete download: it declares a header of ${length} bytes, but only ${left} follow. Download it again.`,
      { paths: [file] },
    );
  }
  const header = await source.read(8, Number(length));
  if (header.byteLength < Number(length))
    throw new TillerError("file-changed", `${file} changed while it was being read: try again.`, { paths: [file] });
  return parseSafetensors(header, source);
}

function dtypeOf({ name, dtype }: HeaderEntry, file: string): DType {
  const known = byCode.get(dtype);
  if (known) return known;
  if (foreign.has(dtype)) throw storedType(name, dtype, file);
  throw new TillerError(
    "safetensors-damaged",
    `${file} is damaged or newer than Tiller: ${quoted(name)} has the unknown dtype ${quoted(dtype)}.`,
    { paths: [file] },
  );
}
