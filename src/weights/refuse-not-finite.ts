/** Refuses networks whose weights are not finite or too large, naming the tensor, before anything is drawn. */
import { cacheFolder, dirname, exists, join, makeFolder, stampOf, startHash } from "#bytes";
import { holdComputable, largest } from "../bytes/computable.ts";
import { type FloatDType, isFloat } from "../bytes/elements.ts";
import { readBytes } from "../bytes/safetensors.ts";
import { quoted } from "../bytes/safetensors-header.ts";
import type { TensorRef } from "../bytes/tensor-ref.ts";
import { writeWhole } from "../bytes/write-whole.ts";
import { TillerError } from "../errors/index.ts";
import type { Checkpoint } from "./checkpoint.ts";

/** Bytes read at a time. */
const pieceLength = 4 << 20;

/** Files of at least this many bytes are recorded in the cache once checked. */
const large = 64 << 20;

/**
 * Reads and checks all weights of networks. Pictures do not always show bad weights: if a value overflows in front of a norm,
 * the picture is finite and looks normal.
 *
 * Reading Stable Diffusion 1.5 in float32 (4.3 GB) takes 2.3 CPU seconds, as long as opening it; so it runs while the networks
 * are built, and once per file: the user's cache records files by size and time. Remote files are skipped, because they would
 * be downloaded a second time.
 *
 * @throws TillerError naming the file and the tensor that holds NaN, infinity or a number too large to compute with; the
 *   signal's reason if aborted.
 */
export async function refuseNotFinite(
  networks: Iterable<{ readonly weights: Checkpoint }>,
  signal?: AbortSignal,
): Promise<void> {
  for (const tensors of byFile(networks)) {
    const mark = bytesOf(tensors) < large ? undefined : await markOf(tensors);
    if (mark !== undefined && (await exists(mark))) continue;
    for (const stretch of stretchesOf(tensors)) {
      if (await isComputable({ ...stretch[0]!, byteLength: bytesOf(stretch) }, signal)) continue;
      for (const tensor of stretch) if (!(await isComputable(tensor, signal))) throw refusal(tensor);
    }
    if (mark !== undefined) await remember(mark);
  }
}

/** A floating-point tensor. */
type Real = TensorRef & { readonly dtype: FloatDType };

const bytesOf = (tensors: readonly Real[]): number => tensors.reduce((sum, { byteLength }) => sum + byteLength, 0);

/** The networks' floating-point tensors, by file, in file order. */
function byFile(networks: Iterable<{ readonly weights: Checkpoint }>): Real[][] {
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
  for (let at = 0; at < byteLength; at += pieceLength) {
    signal?.throwIfAborted();
    const length = Math.min(pieceLength, byteLength - at);
    const bytes = await readBytes({ ...tensor, offset: tensor.offset + at, byteLength: length });
    if (!holdComputable(bytes, tensor.dtype)) return false;
  }
  return true;
}

function refusal({ name, source: { name: file } }: TensorRef): TillerError {
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
