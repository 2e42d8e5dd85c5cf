/**
 * Reads `torch.save` files (`.ckpt`, `.pt`, `.pth`, `.bin`) without running any code of their pickles: only the names that
 * tensor files use are known, and they are treated as data. Weights stay in the file, as with safetensors.
 *
 * Since PyTorch 1.6 a file is a zip with `data.pkl` and `data/<key>`; before, it was a row of pickles followed by the storages.
 */
import { TillerError } from "../../errors/index.ts";
import type { Safetensors } from "../safetensors.ts";
import { maxName, quoted } from "../safetensors-header.ts";
import type { ByteSource } from "../source.ts";
import { bytesPerElement, type DType, type TensorRef } from "../tensor-ref.ts";
import {
  isObject,
  PickleCut,
  type Pickled,
  type PickledTensor,
  PickleError,
  PickleRefused,
  unpickle,
} from "./pickle.ts";
import { dictIn, torchRules } from "./rules.ts";
import { type Member, placeOfMember, readDirectory, ZipCut, ZipError } from "./zip.ts";

/** The place of a storage's bytes in the file. */
interface Place {
  readonly at: number;
  readonly length: number;
}

/** Limit in bytes; the pickles of the largest checkpoints take a few MB. */
const maxPickle = 1 << 25;

/**
 * Locates the tensors of a `torch.save` zip.
 *
 * @throws TillerError if it is another zip, is damaged, or contains anything but tensors.
 */
export function readTorchZip(file: string, source: ByteSource): Promise<Safetensors> {
  return explained(file, async () => {
    const members = await readDirectory(source);
    const pickle = members.find(({ name }) => /^([^/]+\/)?data\.pkl$/.test(name));
    if (!pickle) throw otherZip(file, members);
    const root = pickle.name.slice(0, -"data.pkl".length);
    if (members.some(({ name }) => name === `${root}constants.pkl`))
      throw new TillerError(
        "not-weights",
        `${file} is a TorchScript program (torch.jit.save), and Tiller runs no code from model files: use the model's safetensors or PyTorch weights.`,
        { paths: [file] },
      );
    const byName = new Map(members.map((member) => [member.name, member]));
    const bytesOf = async (member: Member) => {
      if (member.size > maxPickle) throw new ZipError(`${member.name} has ${member.size} bytes`);
      return source.read(await placeOfMember(source, member), member.size);
    };
    const order = byName.get(`${root}byteorder`);
    if (order && new TextDecoder().decode(await bytesOf(order)) === "big")
      throw new TillerError("dtype-unsupported", `${file} was saved big-endian: save it again on another machine.`, {
        paths: [file],
      });
    const { value } = unpickle(await bytesOf(pickle), 0, torchRules());
    const places = new Map<string, Place>();
    for (const key of bounded(new Set(named(value, file).tensors.map(([, tensor]) => tensor.storage.key)))) {
      const member = byName.get(`${root}data/${key}`);
      if (!member) throw new ZipError(`it has no ${quoted(`${root}data/${key}`)}`);
      places.set(key, { at: await placeOfMember(source, member), length: member.size });
    }
    return tensorsOf(value, places, file, source);
  });
}

/** The first pickle in `torch.save` files before the zip format. */
const magic = 0x1950a86a20f9469cfc6cn;

/**
 * Locates the tensors of a `torch.save` file from before PyTorch 1.6.
 *
 * @throws TillerError if it is another pickle, is damaged, or contains anything but tensors.
 */
export function readTorchPickles(file: string, source: ByteSource): Promise<Safetensors> {
  return explained(file, async () => {
    // The pickles precede the weights, and usually fit in the first MiB.
    const few = await readPickles(file, source, 1 << 20).catch((error: unknown) => {
      if (error instanceof PickleCut && source.size > 1 << 20) return undefined;
      throw error;
    });
    const { value, keys, storages, end } = few ?? (await readPickles(file, source, maxPickle));
    const places = new Map<string, Place>();
    let at = end;
    for (const key of bounded(keys)) {
      const count = await source.read(at, 8);
      if (count.length < 8) throw new PickleCut("its weights end early");
      const elements = new DataView(count.buffer, count.byteOffset).getBigUint64(0, true);
      const dtype = storages.get(key);
      if (dtype === undefined) throw new PickleError(`the storage ${quoted(key)} has no element type`);
      if (elements > BigInt(source.size)) throw new PickleCut("its weights end early");
      const length = Number(elements) * widthOf(dtype);
      places.set(key, { at: at + 8, length });
      at += 8 + length;
    }
    if (at > source.size) throw new PickleCut("its weights end early");
    return tensorsOf(value, places, file, source);
  });
}

/** Magic number, protocol, the writer's system, the object, the storages' keys in file order. */
async function readPickles(file: string, source: ByteSource, length: number) {
  const bytes = await source.read(0, Math.min(length, source.size));
  const storages = new Map<string, string>();
  const rules = torchRules(storages);
  let at = 0;
  const next = (): Pickled => {
    const { value, end } = unpickle(bytes, at, rules);
    at = end;
    return value;
  };
  if (next() !== magic)
    throw new TillerError(
      "pickle-refused",
      `${file} is a pickle that torch.save did not write, and holds no tensors that Tiller reads: ask for a safetensors file.`,
      { paths: [file] },
    );
  next();
  next();
  const value = next();
  const keys = next();
  if (!isObject(keys) || keys.kind !== "list" || !keys.items.every((key) => typeof key === "string"))
    throw new PickleError("it does not name its storages");
  return { value, keys: new Set(keys.items as string[]), storages, end: at };
}

/** Limit, because each storage costs a read; the largest checkpoints have a few thousand. */
const maxStorages = 50_000;

function bounded(keys: ReadonlySet<string>): ReadonlySet<string> {
  if (keys.size > maxStorages) throw new PickleError(`it has ${keys.size} storages`);
  return keys;
}

/** A file's tensors and metadata, flattened. */
interface Named {
  readonly tensors: readonly (readonly [name: string, tensor: PickledTensor])[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** Bounds for pickles that nest dictionaries deeply or repeat them. */
const maxDepth = 8;
const maxVisits = 1_000_000;

/** Tensors by key: nested keys and list indices are joined with dots. If there is a `state_dict`, only its tensors. */
function named(value: Pickled, file: string): Named {
  const root = dictIn(value, "state_dict") ?? value;
  const tensors = new Map<string, PickledTensor>();
  let visits = 0;
  const visit = (entries: Iterable<readonly [Pickled, Pickled]>, prefix: string, depth: number) => {
    for (const [key, item] of entries) {
      if (++visits > maxVisits) throw new PickleError("its dictionaries have too many entries");
      if (typeof key !== "string" && typeof key !== "number") continue;
      const name = `${prefix}${key}`;
      if (name.length > maxName) throw new PickleError(`it has a tensor name of ${name.length} characters`);
      if (isObject(item) && item.kind === "tensor") tensors.set(name, item);
      else if (isObject(item) && item.kind === "opaque" && item.name.endsWith("._reconstruct"))
        throw new PickleRefused(`holds ${quoted(name)} as a NumPy array`);
      else if (depth < maxDepth) visit(entriesOf(item), `${name}.`, depth + 1);
    }
  };
  if (isObject(root) && root.kind === "tensor") tensors.set(stem(file), root);
  else visit(entriesOf(root), "", 0);
  const notes = isObject(value) && value.kind === "dict" ? value.entries : [];
  const metadata = notes.flatMap(([key, note]) =>
    typeof key === "string" && (typeof note === "string" || typeof note === "number") ? [[key, String(note)]] : [],
  );
  return { tensors: [...tensors], metadata: Object.fromEntries(metadata) };
}

/** The entries of a dictionary by key, or of a list or tuple by index. */
function entriesOf(value: Pickled): Iterable<readonly [Pickled, Pickled]> {
  if (Array.isArray(value)) return value.entries();
  if (!isObject(value)) return [];
  return value.kind === "dict" ? value.entries : value.kind === "list" ? value.items.entries() : [];
}

/** A lone tensor is named after its file. */
const stem = (file: string): string => /([^\\/]*?)(?:\.\w+)?$/.exec(file)?.[1] ?? file;

function tensorsOf(value: Pickled, places: ReadonlyMap<string, Place>, file: string, source: ByteSource): Safetensors {
  const { tensors, metadata } = named(value, file);
  const refs = new Map<string, TensorRef>();
  for (const [name, tensor] of tensors)
    refs.set(name, refOf(name, tensor, places.get(tensor.storage.key), file, source));
  return { tensors: refs, metadata };
}

function refOf(
  name: string,
  tensor: PickledTensor,
  place: Place | undefined,
  file: string,
  source: ByteSource,
): TensorRef {
  const { shape, strides, offset } = tensor;
  const dtype = dtypeOf(tensor.dtype);
  if (!dtype)
    throw new TillerError(
      "dtype-unsupported",
      `${file} stores ${quoted(name)} as ${tensor.dtype}, which Tiller cannot compute with: use a float16, bfloat16 or float32 version.`,
      { paths: [file] },
    );
  const byteLength = shape.reduce((a, b) => a * b, bytesPerElement[dtype]);
  if (!isContiguous(shape, strides))
    throw new TillerError(
      "tensor-strided",
      `${file} stores ${quoted(name)} with strides [${strides.join(", ")}] for shape [${shape.join(", ")}], which is not contiguous: ${convert(file)}.`,
      { paths: [file] },
    );
  const begin = offset * bytesPerElement[dtype];
  // Overflowing sizes give NaN, which fails this comparison.
  if (!place || !(begin + byteLength <= place.length))
    throw new PickleError(`tensor ${quoted(name)} of shape [${shape.join(", ")}] lies outside its storage`);
  return { name, source, offset: place.at + begin, byteLength, shape, dtype };
}

/** Whether elements are row-major without gaps; the stride of an axis of length 1 does not matter. */
function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  if (shape.includes(0)) return true;
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== step) return false;
    step *= shape[axis]!;
  }
  return true;
}

const dtypeOf = (name: string): DType | undefined =>
  Object.hasOwn(bytesPerElement, name) ? (name as DType) : undefined;

/** Bytes per element, also for types that Tiller does not compute with. */
function widthOf(dtype: string): number {
  const known = dtypeOf(dtype);
  if (known) return bytesPerElement[known];
  const bits = Number(/\d+/.exec(dtype)?.[0] ?? 8);
  return bits / 8;
}

function otherZip(file: string, members: readonly Member[]): TillerError {
  const inside = members.find(({ name }) => /\.(safetensors|ckpt|pt|pth|bin)$/i.test(name));
  return new TillerError(
    "not-weights",
    `${file} is a zip archive, not a torch.save file: ` +
      (inside ? `unpack it and name ${quoted(inside.name)} in it.` : "unpack it, and name a file with weights."),
    { paths: [file] },
  );
}

/** A command that converts a file to safetensors with PyTorch, in its mode that runs no code. */
const convert = (file: string): string =>
  `convert it with python -c "import sys, torch; from safetensors.torch import save_file; ` +
  `d = torch.load(sys.argv[1], map_location='cpu', weights_only=True); d = d.get('state_dict', d); ` +
  `save_file({k: v.contiguous().clone() for k, v in d.items() if torch.is_tensor(v)}, 'converted.safetensors')" ${file}`;

async function explained(file: string, read: () => Promise<Safetensors>): Promise<Safetensors> {
  try {
    return await read();
  } catch (error) {
    const paths = { paths: [file], cause: error };
    if (error instanceof PickleRefused)
      throw new TillerError(
        "pickle-refused",
        `${file} is a pickle that ${error.message}; Tiller reads only tensors, because a pickle can run any code: ask for a safetensors file, or ${convert(file)}.`,
        paths,
      );
    if (error instanceof ZipCut || error instanceof PickleCut)
      throw new TillerError(
        "download-incomplete",
        `${file} is an incomplete download: ${error.message}. Let it finish, or download it again.`,
        paths,
      );
    if (error instanceof ZipError || error instanceof PickleError)
      throw new TillerError("torch-damaged", `${file} is damaged: ${error.message}. Download or save it again.`, paths);
    throw error;
  }
}
