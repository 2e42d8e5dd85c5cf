/** Folders of pictures: every visible file is either used or reported by name as left out. */
import { extname, join, kindOf, list, withSource } from "#bytes";
import { readPixels } from "#images";
import { TillerError } from "../errors/index.ts";
import { type Caption, captionFiles, readMetadata } from "./captions.ts";
import { hasMoreFrames, headLength, kindOfPicture, readName } from "./kinds.ts";
import type { Pixels } from "./pixels.ts";

/** A picture in a folder. */
export interface FolderPicture {
  /** Path relative to the folder: `a.jpg`, or `10_sks cat/a.jpg`. */
  readonly name: string;
  readonly file: string;
  /** How often it is shown relative to the others, from kohya's `10_sks cat` folders; 1 otherwise. */
  readonly repeats: number;
  readonly caption: Caption | undefined;
}

/** A file or subfolder that is not used. */
export interface LeftOut {
  /** Path relative to the folder. */
  readonly name: string;
  readonly why: string;
  /** Whether it is a picture or a video, or may contain any. */
  readonly picture: boolean;
}

export interface PictureFolder {
  /** Sorted by name. */
  readonly pictures: readonly FolderPicture[];
  /** Sorted by name. */
  readonly leftOut: readonly LeftOut[];
  /** Messages about kohya's folders. */
  readonly notes: readonly string[];
}

/** Hidden files, and files that operating systems leave in folders. */
const ofSystems = /^(\.|thumbs\.db$|ehthumbs\.db$|desktop\.ini$|icon\r$|__macosx$|@eadir$)/i;

/** kohya's folder names: repeats, then the caption. */
const kohyas = /^(\d+)_(.+)$/;

/**
 * The pictures of a folder with their captions, and what is left out.
 *
 * Pictures are recognised by extension, else by their first bytes. Captions are in `.txt` or `.caption` files beside them, or
 * in a `metadata.jsonl` as for Hugging Face's imagefolder. If the folder has no pictures of its own, those in subfolders named
 * as for kohya's scripts (`10_sks cat`) are used, with "sks cat" as the caption of pictures that have none.
 *
 * @throws TillerError `pictures-missing` if the folder is missing or has no pictures; also if a caption cannot be read.
 */
export async function pictureFolder(folder: string): Promise<PictureFolder> {
  const found = await pictureFolderOrEmpty(folder);
  if (found.pictures.length > 0) return found;
  const others = leftOutWarnings(found.leftOut.filter(({ picture }) => picture));
  throw new TillerError(
    "pictures-missing",
    `${folder} has no pictures: put JPEG, PNG or WebP files there${others.map((one) => `; ${one}`).join("")}.`,
    { paths: [folder] },
  );
}

/** Like {@link pictureFolder}, but allows a folder without pictures. */
export async function pictureFolderOrEmpty(folder: string): Promise<PictureFolder> {
  const own = await sortOut(folder, "");
  let { pictures } = own;
  const leftOut = [...own.leftOut];
  const notes: string[] = [];
  if (pictures.length === 0) {
    for (const name of own.folders.filter(isKohyas)) {
      const [, repeats, words] = kohyas.exec(name)!;
      const inner = await sortOut(join(folder, name), `${name}/`);
      const caption: Caption = { name, file: join(folder, name), text: words!.trim() };
      const times = Number(repeats);
      pictures = pictures.concat(
        inner.pictures.map((one) => ({ ...one, repeats: times, caption: one.caption ?? caption })),
      );
      if (inner.pictures.length > 0)
        notes.push(
          `pictures in ${name} are repeated ${times} times, with the caption "${caption.text}" if they have none; only the ratio to other folders counts`,
        );
      leftOut.push(...inner.leftOut, ...inner.folders.map((one) => asFolder(`${name}/${one}`)));
    }
    pictures = sharingRepeats(pictures);
    leftOut.push(...own.folders.filter((name) => !isKohyas(name)).map(asFolder));
  } else {
    leftOut.push(...own.folders.filter((name) => !own.within.has(name)).map(asFolder));
  }
  return { pictures, leftOut: leftOut.sort((a, b) => (a.name < b.name ? -1 : 1)), notes };
}

/** The names of a folder's pictures, sorted. @throws TillerError as {@link pictureFolder} does. */
export const pictureNames = async (folder: string): Promise<string[]> =>
  (await pictureFolder(folder)).pictures.map(({ name }) => name);

/** Like {@link pictureNames}, but allows a folder without pictures. */
export const picturesIn = async (folder: string): Promise<string[]> =>
  (await pictureFolderOrEmpty(folder)).pictures.map(({ name }) => name);

/** A folder's pictures, decoded one at a time: thousands would not fit into memory together. */
export async function* decoded({ pictures }: Pick<PictureFolder, "pictures">): AsyncGenerator<Pixels, void, undefined> {
  for (const { file } of pictures) yield await readPixels(file);
}

/** Leaves out mention of files that are not pictures, for folders that also serve other purposes. */
export const onlyPictures = ({ leftOut, ...rest }: PictureFolder): PictureFolder => ({
  ...rest,
  leftOut: leftOut.filter(({ picture }) => picture),
});

/** Warnings about a folder, for people. */
export async function pictureWarnings({ pictures, leftOut, notes }: PictureFolder): Promise<string[]> {
  const moving: string[] = [];
  for (const { name, file } of pictures) {
    const more = /\.jpe?g$/i.test(name)
      ? false
      : await withSource(file, async (source) => hasMoreFrames(await source.read(0, source.size)));
    if (more) moving.push(name);
  }
  return [...leftOutWarnings(leftOut), ...firstFrames(moving), ...notes];
}

/** The warning about pictures with several frames, if there are any. */
export const firstFrames = (names: readonly string[]): string[] =>
  names.length === 0 ? [] : [`only the first frame is used: ${shortList(names)}`];

/** Warnings about what is left out, one for each reason. */
export function leftOutWarnings(leftOut: readonly LeftOut[]): string[] {
  const byReason = new Map<string, string[]>();
  for (const { name, why } of leftOut) byReason.set(why, [...(byReason.get(why) ?? []), name]);
  return [...byReason].map(([why, names]) => `left out ${shortList(names)}: ${why}`);
}

/** At most ten names, and how many more there are. */
function shortList(names: readonly string[]): string {
  const more = names.length - 10;
  return more > 0 ? `${names.slice(0, 10).join(", ")} and ${more} more` : names.join(", ");
}

interface Sorted extends Omit<PictureFolder, "notes"> {
  /** Subfolders. */
  readonly folders: readonly string[];
  /** Subfolders with pictures that `metadata.jsonl` names. */
  readonly within: ReadonlySet<string>;
}

/** One folder without its subfolders. `prefix` is put before the names. */
async function sortOut(folder: string, prefix: string): Promise<Sorted> {
  const names = (await namesIn(folder)).filter((name) => !ofSystems.test(name)).sort();
  const folders: string[] = [];
  const leftOut: LeftOut[] = [];
  const leave = (name: string, why: string, picture = false) =>
    void leftOut.push({ name: prefix + name, why, picture });
  const shown: string[] = [];
  const texts: string[] = [];
  for (const name of names) {
    if (readName.test(name)) shown.push(name);
    else if (/\.(txt|caption)$/i.test(name)) texts.push(name);
    else if ((await kindOf(join(folder, name))) === "folder") folders.push(name);
    else if (name !== metadataName) {
      const kind = await kindOfFile(join(folder, name));
      if (kind && kind.unread === undefined) shown.push(name);
      else leave(name, kind?.unread ?? (likeMetadata.test(name) ? onlyMetadata : "not a picture"), kind !== undefined);
    }
  }

  const listed = names.includes(metadataName) ? await readMetadata(join(folder, metadataName)) : undefined;
  const within = new Set<string>();
  const own = new Set(shown);
  for (const name of listed?.keys() ?? []) {
    if (own.has(name)) continue;
    const parts = name.split("/");
    const safe = parts.length > 1 && !parts.some((part) => part === ".." || part === "");
    if (safe && (await kindOf(join(folder, name))) === "file") {
      shown.push(name);
      for (let depth = 1; depth < parts.length; depth++) within.add(parts.slice(0, depth).join("/"));
    } else leave(`${metadataName}: ${name}`, "the picture does not exist");
  }
  const named = new Set([...shown, ...within]);
  for (const inner of within) {
    for (const name of await namesIn(join(folder, inner))) {
      const path = `${inner}/${name}`;
      if (!ofSystems.test(name) && !named.has(path)) leave(path, `${metadataName} does not name it`);
    }
  }

  const beside = captionFiles(texts);
  const stems = new Set(shown.map((name) => stemOf(name)));
  for (const name of texts) {
    const used = beside.get(stemOf(name));
    if (!stems.has(stemOf(name))) leave(name, "a caption without a picture");
    else if (used !== name) leave(name, `${prefix}${used} is used instead`);
  }
  const captionOf = (name: string): Caption | undefined => {
    const file = beside.get(stemOf(name));
    if (file !== undefined) return { name: prefix + file, file: join(folder, file) };
    const text = listed?.get(name);
    return text === undefined ? undefined : { name: prefix + metadataName, file: join(folder, metadataName), text };
  };
  const pictures = shown.sort().map((name): FolderPicture => {
    return { name: prefix + name, file: join(folder, name), repeats: 1, caption: captionOf(name) };
  });
  return { pictures, leftOut, folders, within };
}

const metadataName = "metadata.jsonl";
const likeMetadata = /^meta.*\.(json\w*|csv|parquet)$/i;
const onlyMetadata = `captions by picture name are read from ${metadataName} only`;

async function namesIn(folder: string): Promise<string[]> {
  return list(folder).catch((error: { readonly code?: string }) => {
    const why = error.code === "ENOTDIR" ? "is a file" : error.code === "ENOENT" ? "does not exist" : "cannot be read";
    throw new TillerError(
      "pictures-missing",
      `The folder of pictures ${folder} ${why}: give a folder of JPEG, PNG or WebP files.`,
      { paths: [folder] },
    );
  });
}

/** By first bytes and name; by name alone if the file cannot be opened. */
async function kindOfFile(file: string) {
  const head = await withSource(file, (source) => source.read(0, Math.min(source.size, headLength))).catch(
    () => new Uint8Array(0),
  );
  return kindOfPicture(head, file);
}

/** `a` of `a.jpg` and of `a.txt`. */
const stemOf = (name: string): string => name.slice(0, name.length - extname(name).length);

const isKohyas = (name: string): boolean => Number(kohyas.exec(name)?.[1] ?? 0) > 0;

const asFolder = (name: string): LeftOut => ({
  name: `${name}/`,
  why: "subfolders are not read, except those named like kohya's 10_sks cat in a folder without other pictures",
  picture: true,
});

/** Training counts steps, not epochs, so only the ratio of repeats matters: 10 and 20 become 1 and 2. */
function sharingRepeats(pictures: readonly FolderPicture[]): FolderPicture[] {
  const divisor = pictures.reduce((sum, { repeats }) => gcd(sum, repeats), 0);
  return pictures.map((picture) => ({ ...picture, repeats: picture.repeats / divisor }));
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));
