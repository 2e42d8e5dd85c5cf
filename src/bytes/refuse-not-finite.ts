/** Refuses weights that are not finite or too large, naming the tensor, before anything is computed with them. */
import { cacheFolder, dirname, exists, join, makeFolder, stampOf, startHash } from "#bytes";
import { TillerError } from "../errors/index.ts";
import { areComputable, holdComputable, largest } from "./computable.ts";
import { type FloatDType, isFloat } from "./elements.ts";
import { readBytes, readFloat32 } from "./safetensors.ts";
import { quoted } from "./safetensors-header.ts";
import type { TensorRef } from "./tensor-ref.ts";
import { writeWhole } from "./write-whole.ts";

/** Bytes read at a time. */
const pieceLength = 4 << 20;

/** Files of at least this many bytes are recorded in the cache once checked. */
const large = 64 << 20;

/**
 * Reads and checks weights. Pictures do not always show bad weights: if a value overflows in front of a norm, the picture is
 * finite and looks normal.
 *
 * The engine checks the weights of each graph while the runtime builds it from the same files, so that a disk is read once; and
 * the user's cache records by the file's size and time what was checked, so that the next process does not read it. Remote files
 * are skipped, because they would be downloaded a second time.
 *
 * @throws TillerError naming the file and the tensor that holds NaN, infinity or a number too large to compute with; the
 *   signal's reason if aborted.
 */
export async function refuseNotFinite(
  networks: Iterable<{ readonly weights: ReadonlyMap<string, TensorRef> }>,
  signal?: AbortSignal,
): Promise<void> {
  for (const tensors of byFile(networks)) {
    const mark = bytesOf(tensors) < large ? undefined : await markOf(tensors);
    if (mark !== undefined && (await exists(mark))) continue;
    for (const stretch of stretchesOf(tensors)) {
      if (await isComputable({ ...stretch[0]!, byteLength: bytesOf(stretch) }, signal)) continue;
      for (const tensor of stretch) if (!(await isComputable(tensor, signal))) throw notFinite(tensor);
    }
    if (mark !== undefined) await remember(mark);
  }
}

/**
 * A weight as float32, for computing with it outside a graph.
 *
 * @throws TillerError as {@link refuseNotFinite} and {@link readFloat32} do.
 */
export async function readWeight(ref: TensorRef): Promise<Float32Array> {
  const values = await readFloat32(ref);
  if (!areComputable(values)) throw notFinite(ref);
  return values;
}

/** A floating-point tensor. */
type Real = TensorRef & { readonly dtype: FloatDType };

const bytesOf = (tensors: readonly Real[]): number => tensors.reduce((sum, { byteLength }) => sum + byteLength, 0);

/** The networks' floating-point tensors, by file, in file order. */
function byFile(networks: Iterable<{ readonly weights: ReadonlyMap<string, TensorRef> }>): Real[][] {
  const files = new Map<string, Real[]>();
  for (const { weights } of networks) {
    for (const tensor of weights.values()) {
      if (!isReal(tensor) || tensor.source.remote) continue;
      const known = files.get(tensor.source.name);
      if (known) known.push(tensor);
      else files.set(tensor.source.name, [tensor]);
    }
  }
  return [...files.values()].map((tensors) => tensors.sort((a, b) => a.offset - b.offset));
}

const isReal = (tensor: TensorRef): tensor is Real => isFloat(tensor.dtype);

/** Groups adjacent tensors of one type, to read them as one: files hold hundreds of small ones. */
function stretchesOf(tensors: readonly Real[]): Real[][] {
  const stretches: Real[][] = [];
  for (const tensor of tensors) {
    const stretch = stretches.at(-1);
    const before = stretch?.at(-1);
    if (before?.dtype === tensor.dtype && before.offset + before.byteLength === tensor.offset) stretch!.push(tensor);
    else stretches.push([tensor]);
  }
  return stretches;
}

async function isComputable({ byteLength, ...tensor }: Real, signal: AbortSignal | undefined): Promise<boolean> {
  const memory = new ArrayBuffer(Math.min(pieceLength, byteLength));
  for (let at = 0; at < byteLength; at += pieceLength) {
    signal?.throwIfAborted();
    const length = Math.min(pieceLength, byteLength - at);
    const bytes = await readBytes({ ...tensor, offset: tensor.offset + at, byteLength: length }, memory);
    if (!holdComputable(bytes, tensor.dtype)) return false;
  }
  return true;
}

/** The refusal of a weight. */
export function notFinite({ name, source: { name: file } }: TensorRef): TillerError {
  return new TillerError(
    "not-finite",
    `${file} holds NaN, infinity or a number beyond ${largest} in ${quoted(name)}: use another version of the file.`,
    { paths: [file] },
  );
}

/**
 * The file in the user's cache that records that these tensors were checked in the current version of their file; undefined if
 * the file has no stamp, such as one handed to a web page.
 */
async function markOf(tensors: readonly Real[]): Promise<string | undefined> {
  const file = tensors[0]!.source.name;
  const stamp = await stampOf(file).catch(() => "");
  if (stamp === "") return undefined;
  const hash = startHash();
  hash.update(`${file}|${stamp}|${largest}`);
  for (const { offset, byteLength, dtype } of tensors) hash.update(`|${offset} ${byteLength} ${dtype}`);
  return join(cacheFolder(), "computable", await hash.digest());
}

async function remember(mark: string): Promise<void> {
  try {
    await makeFolder(dirname(mark));
    await writeWhole(mark, "");
  } catch {
    // Without a cache, or without room in it, the file is read each time.
  }
}
