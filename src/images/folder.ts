/** Folders of pictures: every visible file is used, or left out by its name. */
import { extname, join, kindOf, list, withSource } from "#bytes";
import { readPixels } from "#images";
import { TillerError } from "../errors/index.ts";
import { type Caption, captionFiles, readMetadata } from "./captions.ts";
import { hasMoreFrames, headLength, kindOfPicture, readName } from "./kinds.ts";
import type { Pixels } from "./pixels.ts";

/** A picture in a folder. */
export interface FolderPicture {
  /** From the folder on: `a.jpg`, or `10_sks cat/a.jpg`. */
  readonly name: string;
  readonly file: string;
  /** Times that it is shown while a picture that counts 1 is shown once: of kohya's `10_sks cat` folders. */
  readonly repeats: number;
  readonly caption: Caption | undefined;
}

/** What lies in a folder and is not used. */
export interface LeftOut {
  /** From the folder on. */
  readonly name: string;
  readonly why: string;
  /** Whether it is a picture or a video, or may hold some. */
  readonly picture: boolean;
}

export interface PictureFolder {
  /** Sorted by name. */
  readonly pictures: readonly FolderPicture[];
  /** Sorted by name. */
  readonly leftOut: readonly LeftOut[];
  /** Sentences about kohya's folders. */
  readonly notes: readonly string[];
}

/** What systems leave in folders; names that begin with a full stop are hidden as well. */
const ofSystems = /^(\.|thumbs\.db$|ehthumbs\.db$|desktop\.ini$|icon\r$|__macosx$|@eadir$)/i;

/** kohya's folders: how often their pictures are shown, and their text. */
const kohyas = /^(\d+)_(.+)$/;

/**
 * All of a folder.
 *
 * Pictures are told by their names or, where these say nothing, by their first bytes. Captions are in `.txt` or `.caption`
 * files beside them, or in `metadata.jsonl` as Hugging Face's imagefolder has it. Where the folder has no pictures of its
 * own, those of folders named as kohya's scripts have it, `10_sks cat`, are its pictures, and "sks cat" is the text of those
 * without a caption.
 *
 * @throws TillerError `pictures-missing` if the folder is missing or has no pictures; or if captions cannot be read.
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

/** The same, of a folder that may have none. */
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
          `each picture of ${name} is shown ${times} times, as "${caption.text}" if it has no caption of its own; only the ratio to other folders counts`,
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

/** The same, of a folder that may have none. */
export const picturesIn = async (folder: string): Promise<string[]> =>
  (await pictureFolderOrEmpty(folder)).pictures.map(({ name }) => name);

/** A folder's pictures, each decoded when it is asked for: those of thousands are never in memory together. */
export async function* decoded({ pictures }: Pick<PictureFolder, "pictures">): AsyncGenerator<Pixels, void, undefined> {
  for (const { file } of pictures) yield await readPixels(file);
}

/** The folder without files that are no pictures: those of a folder that is not there for its pictures alone. */
export const onlyPictures = ({ leftOut, ...rest }: PictureFolder): PictureFolder => ({
  ...rest,
  leftOut: leftOut.filter(({ picture }) => picture),
});

/** What a person is told of a folder. */
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

/** The sentence about pictures of several frames; none if there are none. */
export const firstFrames = (names: readonly string[]): string[] =>
  names.length === 0 ? [] : [`of ${shortList(names)} the first frame is used, others are left out`];

/** Sentences about what is left out, one for each reason. */
export function leftOutWarnings(leftOut: readonly LeftOut[]): string[] {
  const byReason = new Map<string, string[]>();
  for (const { name, why } of leftOut) byReason.set(why, [...(byReason.get(why) ?? []), name]);
  return [...byReason].map(([why, names]) => `left out ${shortList(names)}: ${why}`);
}

/** Names in a row, not more of them than a person reads. */
function shortList(names: readonly string[]): string {
  const more = names.length - 10;
  return more > 0 ? `${names.slice(0, 10).join(", ")} and ${more} more` : names.join(", ");
}

interface Sorted extends Omit<PictureFolder, "notes"> {
  /** Sub-folders. */
  readonly folders: readonly string[];
  /** Those that `metadata.jsonl` names pictures of. */
  readonly within: ReadonlySet<string>;
}

/** One folder by itself. `prefix` stands before the names. */
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
      else leave(name, kind?.unread ?? (likeMetadata.test(name) ? onlyMetadata : "no picture"), kind !== undefined);
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
    } else leave(`${metadataName}: ${name}`, "there is no such picture");
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
    if (!stems.has(stemOf(name))) leave(name, "the caption of no picture");
    else if (used !== name) leave(name, `${prefix}${used} is read in its place`);
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
const onlyMetadata = `of such files only ${metadataName} is read, for captions by picture's name`;

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

/** By its first bytes and its name. What cannot be opened is told by its name alone. */
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
  why: "folders within are not read, unless they alone have the pictures and are named as kohya's 10_sks cat",
  picture: true,
});

/** Only the ratio of repeats counts, for training is told its steps and not its epochs: 10 and 20 are 1 and 2. */
function sharingRepeats(pictures: readonly FolderPicture[]): FolderPicture[] {
  const divisor = pictures.reduce((sum, { repeats }) => gcd(sum, repeats), 0);
  return pictures.map((picture) => ({ ...picture, repeats: picture.repeats / divisor }));
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));
