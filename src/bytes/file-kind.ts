/** Identifies files by their first bytes, not their names. */
import { TillerError } from "../errors/index.ts";
import type { ByteSource } from "./source.ts";

/** Kinds of tensor file that Tiller reads, and `other`, which {@link refusalOf} identifies. */
export type FileKind = "safetensors" | "zip" | "pickle" | "other";

/** The longest header that the reference implementation of safetensors accepts, in bytes. */
export const maxHeader = 100_000_000;

/** Bytes needed to identify a file: tar's magic comes last. */
const headLength = 512;

/** The beginning of a file, as long as {@link kindOfHead} and {@link refusalOf} need. */
export const readHead = (source: ByteSource): Promise<Uint8Array<ArrayBuffer>> =>
  source.read(0, Math.min(source.size, headLength));

/** A safetensors file begins with its header's length and "{"; zips and pickles of protocol 2 to 5 with their magic. */
export function kindOfHead(head: Uint8Array): FileKind {
  if (head.length >= 9 && head[8] === 0x7b && declaredLength(head) <= BigInt(maxHeader)) return "safetensors";
  if (begins(head, "PK\x03\x04") || begins(head, "PK\x05\x06")) return "zip";
  if (head[0] === 0x80 && head[1]! >= 2 && head[1]! <= 5) return "pickle";
  return "other";
}

/** The safetensors header's length, declared in the first eight bytes. */
export const declaredLength = (head: Uint8Array): bigint =>
  head.byteLength >= 8 ? new DataView(head.buffer, head.byteOffset).getBigUint64(0, true) : 0n;

/** Formats by their magic bytes, at the beginning or at an offset, and what to do about each. */
const formats: readonly (readonly [mark: string, what: string, fix: string, at?: number])[] = [
  ["GGUF", "a GGUF file, quantised for llama.cpp and related programs", "use the model's safetensors files"],
  ["lmgg", "a GGML file", "use the model's safetensors files"],
  ["tjgg", "a GGML file", "use the model's safetensors files"],
  ["\x89HDF\r\n\x1a\n", "an HDF5 file (.h5) of Keras or TensorFlow", "use the model's PyTorch or safetensors files"],
  ["TFL3", "a TensorFlow Lite model", "use the model's PyTorch or safetensors files", 4],
  ["\x93NUMPY", "a NumPy array", "save its tensors as safetensors"],
  ["\0\x05\x16\x07", "macOS metadata of another file", "name the file without `._`"],
  ["\x1f\x8b", "a gzip archive", "unpack it first"],
  ["BZh", "a bzip2 archive", "unpack it first"],
  ["\x28\xb5\x2f\xfd", "a zstd archive", "unpack it first"],
  ["\xfd7zXZ\0", "an xz archive", "unpack it first"],
  ["7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "unpack it first"],
  ["Rar!", "a RAR archive", "unpack it first"],
  ["ustar", "a tar archive", "unpack it first", 257],
  ["\x89PNG", "a PNG picture", "name the file with the weights"],
  ["\xff\xd8\xff", "a JPEG picture", "name the file with the weights"],
  ["GIF8", "a GIF picture", "name the file with the weights"],
  ["ftyp", "an AVIF or HEIC picture, or a video", "name the file with the weights", 4],
  ["MZ", "a program for Windows", "name the file with the weights"],
  ["\x7fELF", "a program for Linux", "name the file with the weights"],
  ["RIFF", "a WebP picture or another RIFF file", "name the file with the weights"],
  ["%PDF", "a PDF document", "name the file with the weights"],
];

/** The error for a file that holds no tensors Tiller can read. `file` is its name for messages. */
export function refusalOf(head: Uint8Array, size: number, file: string): TillerError {
  const paths = { paths: [file] };
  if (size === 0) return new TillerError("file-empty", `${file} is empty: download it again.`, paths);
  const text = textOf(head);
  if (text.startsWith("version https://git-lfs.github.com/spec/") || text.startsWith("# xet version"))
    return new TillerError(
      "lfs-pointer",
      `${file} is a Git LFS pointer, a text file of ${size} bytes in place of the real file: run \`git lfs pull\` in its folder.`,
      paths,
    );
  if (/^(<!--[\s\S]*?-->\s*)*<(!doctype html|html|head|body)/i.test(text))
    return new TillerError(
      "web-page",
      `${file} is a web page, not the file itself: use the page's download link (on the hub, its address has /resolve/, not /blob/).`,
      paths,
    );
  const notWeights = (what: string, fix: string) =>
    new TillerError("not-weights", `${file} is ${what}, which Tiller does not read weights from: ${fix}.`, paths);
  if (text.startsWith("<")) return notWeights("XML, perhaps a server's refusal of the download", "download it again");
  if (/^[{[]\s*["\]}{[]/.test(text)) {
    return size <= head.length
      ? notWeights(
          `JSON, perhaps a server's refusal of the download (${plain(text)})`,
          "log in there, or download it again",
        )
      : notWeights("JSON", "name the file with the weights");
  }
  for (const [mark, what, fix, at] of formats) if (begins(head, mark, at)) return notWeights(what, fix);
  if (looksOnnx(head)) return notWeights("an ONNX model", "use the model's PyTorch or safetensors files");
  if (looksFlax(head)) return notWeights("a Flax model (.msgpack)", "use the model's PyTorch or safetensors files");
  if (/^[\P{C}\s]{8,}$/u.test(text) && /^[\x20-\x7e\s]{8}/.test(text))
    return notWeights(
      size <= head.length ? `text, such as a server's reply (${plain(text)})` : "text",
      "download it again, or name the file with the weights",
    );
  if (head.length > 8 && head.every((byte) => byte === 0))
    return new TillerError(
      "download-incomplete",
      `${file} begins with zeros, like an unfinished download: let it finish, or download it again.`,
      paths,
    );
  return new TillerError(
    "safetensors-invalid",
    `${file} is neither a safetensors nor a PyTorch file: ${reason(head, size)}.`,
    paths,
  );
}

/** Untrusted text on one line, without control characters. */
const plain = (text: string): string =>
  text
    .trim()
    .replaceAll(/[\p{C}\s]+/gu, " ")
    .slice(0, 200);

function reason(head: Uint8Array, size: number): string {
  if (size < 9) return `it is only ${size} bytes`;
  const length = declaredLength(head);
  return length > BigInt(maxHeader)
    ? `as safetensors it would have a header of ${length} bytes, and the limit is ${maxHeader}`
    : 'its header does not begin with "{"';
}

/** An ONNX ModelProto: its version (field 1), then the producer's name (2), the graph (7) or the operator sets (8). */
function looksOnnx(head: Uint8Array): boolean {
  return head[0] === 0x08 && head[1]! >= 1 && head[1]! <= 30 && [0x12, 0x3a, 0x42].includes(head[2]!);
}

/** A small MessagePack map whose first key is a short string: `params`, or a module's name. */
function looksFlax(head: Uint8Array): boolean {
  const at = head[0] === 0xde ? 3 : (head[0]! & 0xf0) === 0x80 ? 1 : 0;
  const length = head[at]! & 0x1f;
  return (
    at > 0 &&
    (head[at]! & 0xe0) === 0xa0 &&
    head.length > at + length &&
    head.subarray(at + 1, at + 1 + length).every((byte) => byte >= 0x20 && byte < 0x7f)
  );
}

function begins(head: Uint8Array, mark: string, at = 0): boolean {
  return head.length >= at + mark.length && [...mark].every((c, i) => head[at + i] === c.charCodeAt(0));
}

/** The beginning as text, without a byte order mark (UTF-8's or UTF-16's) and spaces. */
function textOf(head: Uint8Array): string {
  const encoding =
    head[0] === 0xff && head[1] === 0xfe ? "utf-16le" : head[0] === 0xfe && head[1] === 0xff ? "utf-16be" : "utf-8";
  return new TextDecoder(encoding).decode(head).trimStart();
}
