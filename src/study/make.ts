/** Makes a study's folder: chooses its sets, and copies their pictures under names that say nothing. */
import { join } from "node:path";
import { makeFolder } from "#bytes";
import { encodePixels, readPixels } from "#images";
import { writeWhole } from "../bytes/write-whole.ts";
import { TillerError } from "../errors/index.ts";
import type { Pixels } from "../images/pixels.ts";
import { resized } from "../images/resample.ts";
import { shuffled } from "../random/shuffled.ts";
import { randomStream } from "../random/streams.ts";
import { version } from "../version.ts";
import { type Candidate, chosenFrom } from "./candidate.ts";
import { setsOfFolders } from "./from-folders.ts";
import { setsOfResults } from "./from-results.ts";
import { holdsStudy, picturesFolderOf, type Setting, type Study, type StudySet, studyFileOf } from "./study.ts";
import type { StudyFile } from "./study-file.ts";

/** A setting with the sets that are shown. */
export interface ChosenSetting {
  readonly setting: Setting;
  readonly sets: readonly Candidate[];
}

/** The longer side of the subject's own pictures in pixels: photographs are larger than a page shows them. */
const referenceSide = 1024;

/**
 * Makes a study in a new folder.
 *
 * @throws TillerError if the folder has a study, there are too few pictures, or pictures of a set differ in size.
 */
export async function makeStudy(file: StudyFile, folder: string): Promise<Study> {
  await refuseExisting(folder);
  const settings: ChosenSetting[] = [];
  for (const [i, asked] of file.settings.entries()) {
    const { setting, candidates } = await ("results" in asked ? setsOfResults(asked) : setsOfFolders(asked));
    const count = asked.sets ?? file.sets;
    if (candidates.length < count)
      throw new TillerError(
        "study-pictures-few",
        `The setting ${asked.name} has ${candidates.length} sets of pictures, not ${count}: set sets to fewer, or draw more pictures.`,
      );
    const sets = chosenFrom(candidates, count, randomStream(file.seed, "sets of a study", i)).map((one) => ({
      ...one,
      references: one.references.slice(0, file.references),
    }));
    settings.push({ setting, sets });
  }
  return writeStudy(file, settings, folder);
}

/** @throws TillerError as {@link makeStudy} does. */
export async function writeStudy(
  { title, seed }: Pick<StudyFile, "title" | "seed">,
  settings: readonly ChosenSetting[],
  folder: string,
): Promise<Study> {
  await refuseExisting(folder);
  const chosen = settings.flatMap(({ sets }, setting) => sets.map((set) => ({ ...set, setting })));
  // Numbers in an order of their own: a name says neither the set nor the method.
  const once = (files: readonly string[]) => [...new Set(files)];
  const shown = once(chosen.flatMap(({ pictures }) => pictures)).map((file) => `picture ${file}`);
  const beside = once(chosen.flatMap(({ references }) => references)).map((file) => `reference ${file}`);
  const numbered = shuffled([...shown, ...beside], randomStream(seed, "names of a study", 0));
  const names = new Map(numbered.map((one, i) => [one, `${String(i).padStart(4, "0")}.png`]));
  await makeFolder(picturesFolderOf(folder));
  // Encoded anew from the pixels, because files tell their recipes.
  const keep = async (one: string, pixels: Pixels) => {
    const name = names.get(one)!;
    await writeWhole(join(picturesFolderOf(folder), name), await encodePixels(pixels));
    return name;
  };
  const sets: StudySet[] = [];
  for (const { pictures: files, references: ownFiles, ...set } of chosen) {
    const pixels = await Promise.all(files.map((file) => readPixels(file)));
    refuseSizes(files, pixels);
    const pictures: string[] = [];
    for (const [i, file] of files.entries()) pictures.push(await keep(`picture ${file}`, pixels[i]!));
    const references: string[] = [];
    for (const file of ownFiles) references.push(await keep(`reference ${file}`, reduced(await readPixels(file))));
    sets.push({ ...set, pictures, references });
  }
  const study = { tiller: version, title, seed, settings: settings.map(({ setting }) => setting), sets };
  await writeWhole(studyFileOf(folder), `${JSON.stringify(study, null, 1)}\n`);
  return study;
}

async function refuseExisting(folder: string): Promise<void> {
  if (!(await holdsStudy(folder))) return;
  throw new TillerError("study-exists", `${folder} already holds a study: choose another folder with --out.`, {
    paths: [folder],
  });
}

function refuseSizes(files: readonly string[], pictures: readonly Pixels[]): void {
  const sizeOf = ({ width, height }: Pixels) => `${width} x ${height}`;
  const other = pictures.findIndex((one) => sizeOf(one) !== sizeOf(pictures[0]!));
  if (other < 0) return;
  const [first, second] = [0, other].map((i) => `${files[i]} (${sizeOf(pictures[i]!)})`);
  throw new TillerError("study-pictures-differ", `${first} and ${second} differ in size: draw both in one size.`, {
    paths: files,
  });
}

function reduced(picture: Pixels): Pixels {
  const scale = referenceSide / Math.max(picture.width, picture.height);
  if (scale >= 1) return picture;
  const side = (pixels: number) => Math.max(1, Math.round(scale * pixels));
  return resized(picture, { width: side(picture.width), height: side(picture.height) }, "lanczos");
}
