/** Recognises picture formats by their first bytes, whatever the name: which are read, and what to do about the others. */
import { refusalOf } from "../bytes/file-kind.ts";
import { TillerError } from "../errors/index.ts";

/** A file format. */
export interface PictureKind {
  /** Its usual name: "HEIC". */
  readonly name: string;
  /** If it is not supported, that and what to do; undefined if it is. */
  readonly unread?: string;
}

/** How many bytes {@link kindOfPicture} looks at. */
export const headLength = 512;

const saveAs = (name: string, fix = "save it as JPEG or PNG"): PictureKind => ({
  name,
  unread: `${name} is not supported: ${fix}`,
});
const heic = saveAs("HEIC", "export it as JPEG (on a Mac: sips -s format jpeg *.heic --out .)");
const video = (name: string) => saveAs(name, "save frames of the video as pictures");
const [jpeg, png, webp, gif, tiff, avif, bmp] = ["JPEG", "PNG", "WebP", "GIF", "TIFF", "AVIF", "BMP"].map((name) => ({
  name,
}));

/** First bytes; a dot stands for any byte. */
const marks: readonly (readonly [mark: string, kind: PictureKind])[] = [
  ["\xff\xd8\xff", jpeg!],
  ["\x89PNG\r\n\x1a\n", png!],
  ["RIFF....WEBP", webp!],
  ["RIFF....AVI ", video("AVI")],
  ["GIF87a", gif!],
  ["GIF89a", gif!],
  ["II*\0....CR", saveAs("Canon's raw CR2", "develop it and save it as JPEG or PNG")],
  ["II*\0", tiff!],
  ["MM\0*", tiff!],
  ["II+\0", tiff!],
  ["MM\0+", tiff!],
  ["BM....\0\0\0\0", bmp!],
  ["\0\0\x01\0", saveAs("ICO")],
  ["8BPS", saveAs("PSD")],
  ["\xff\x0a", saveAs("JPEG XL")],
  ["\0\0\0\x0cJXL \r\n", saveAs("JPEG XL")],
  ["\0\0\0\x0cjP  ", saveAs("JPEG 2000")],
  ["\xff\x4f\xff\x51", saveAs("JPEG 2000")],
  ["\x76\x2f\x31\x01", saveAs("OpenEXR")],
  ["gimp xcf", saveAs("XCF")],
  ["%PDF", saveAs("PDF")],
  ["\x1aE\xdf\xa3", video("Matroska or WebM")],
];

/** By name if the bytes do not identify the format: cameras' raw files are TIFFs with a thumbnail. */
const names: readonly (readonly [name: RegExp, kind: PictureKind])[] = [
  [
    /\.(dng|cr[23]|crw|nef|nrw|arw|sr2|raf|orf|rw2|pef|srw|raw)$/i,
    saveAs("camera raw", "develop it and save it as JPEG or PNG"),
  ],
  [/\.(heic|heif|hif)$/i, heic],
  [/\.svgz?$/i, saveAs("SVG")],
  [/\.tga$/i, saveAs("TGA")],
  [/\.(mp4|m4v|mov|mpe?g|wmv|flv|3gp|mts)$/i, video("video")],
];

/** Extensions of supported formats: a file with one must be a picture. */
export const readName = /\.(jpe?g|jpe|jfif|pjpeg|pjp|png|apng|webp|gif|avif|tiff?|bmp|dib)$/i;

/** By first bytes, else by name; undefined if neither suggests a picture or a video. */
export function kindOfPicture(head: Uint8Array, file: string): PictureKind | undefined {
  const byName = names.find(([name]) => name.test(file))?.[1];
  const byBytes =
    marks.find(([mark]) => begins(head, mark))?.[1] ?? kindOfBox(head) ?? (looksSvg(head) ? saveAs("SVG") : undefined);
  // A phone's .HEIC may really be a JPEG, but a raw file begins as a TIFF and is still raw.
  return byBytes === tiff && byName !== undefined ? byName : (byBytes ?? byName);
}

/** ISO's base media format: AVIF, HEIC, raw CR3 and videos, by the brands in the first box. */
function kindOfBox(head: Uint8Array): PictureKind | undefined {
  if (!begins(head, "....ftyp")) return undefined;
  const length = new DataView(head.buffer, head.byteOffset, head.byteLength).getUint32(0);
  const brands = latin1(head.subarray(8, Math.min(length, head.length))).match(/.{4}/gs) ?? [];
  const has = (...some: readonly string[]) => brands.some((brand) => some.includes(brand));
  if (has("avif", "avis")) return avif;
  if (has("heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1")) return heic;
  return has("crx ") ? saveAs("Canon's raw CR3", "develop it and save it as JPEG or PNG") : video("video");
}

const looksSvg = (head: Uint8Array): boolean => /^[^<]{0,9}(<\?xml[\s\S]*|<!--[\s\S]*)?<svg[\s>]/i.test(latin1(head));

/** Whether the bytes are a Windows bitmap. */
export const isBmp = (bytes: Uint8Array): boolean => kindOfPicture(bytes.subarray(0, headLength), "") === bmp;

/** @throws TillerError saying what the bytes are, unless the format is supported. */
export function refuseOtherKinds(file: string, bytes: Uint8Array): void {
  const head = bytes.subarray(0, headLength);
  const kind = kindOfPicture(head, file);
  if (kind && kind.unread === undefined) return;
  const refused = (why: string) =>
    new TillerError("picture-unreadable", `Tiller cannot read the picture ${file}: ${why}.`, { paths: [file] });
  if (kind) throw refused(kind.unread!);
  if (bytes.length === 0) throw refused("it is empty; copy it again");
  const other = refusalOf(head, bytes.length, file);
  if (["lfs-pointer", "web-page", "download-incomplete"].includes(other.code)) throw other;
  throw refused("its first bytes are not those of any picture format; save it again as JPEG or PNG, or remove it");
}

/** Whether the file has frames or pages after the first; only the first is read. */
export function hasMoreFrames(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    if (begins(bytes, "GIF8")) return gifFrames(bytes) > 1;
    if (begins(bytes, "RIFF....WEBPVP8X")) return (bytes[20]! & 2) !== 0;
    if (begins(bytes, "\x89PNG")) return hasAnimation(bytes, view);
    if (begins(bytes, "II*\0") || begins(bytes, "MM\0*")) {
      const little = bytes[0] === 0x49;
      const at = view.getUint32(4, little);
      return view.getUint32(at + 2 + 12 * view.getUint16(at, little), little) !== 0;
    }
    return begins(bytes, "....ftypavis");
  } catch (error) {
    // A truncated file: the decoder reports it.
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/** APNG's acTL chunk precedes the image data. */
function hasAnimation(bytes: Uint8Array, view: DataView): boolean {
  for (let at = 8; at + 8 <= bytes.length; at += 12 + view.getUint32(at)) {
    const type = latin1(bytes.subarray(at + 4, at + 8));
    if (type === "acTL") return view.getUint32(at + 8) > 1;
    if (type === "IDAT") return false;
  }
  return false;
}

/** Pictures in a GIF, counted up to two. */
function gifFrames(bytes: Uint8Array): number {
  const table = (flags: number) => (flags & 0x80 ? 3 << ((flags & 7) + 1) : 0);
  const skipBlocks = (from: number): number => {
    let at = from;
    while (at < bytes.length && bytes[at] !== 0) at += bytes[at]! + 1;
    return at + 1;
  };
  let frames = 0;
  for (let at = 13 + table(bytes[10]!); at < bytes.length && frames < 2; ) {
    if (bytes[at] === 0x21) at = skipBlocks(at + 2);
    else if (bytes[at] === 0x2c) {
      frames++;
      at = skipBlocks(at + 11 + table(bytes[at + 9]!));
    } else break;
  }
  return frames;
}

function begins(head: Uint8Array, mark: string): boolean {
  if (head.length < mark.length) return false;
  for (let i = 0; i < mark.length; i++) if (mark[i] !== "." && head[i] !== mark.charCodeAt(i)) return false;
  return true;
}

const latin1 = (bytes: Uint8Array): string => String.fromCharCode(...bytes.subarray(0, headLength));
