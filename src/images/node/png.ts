/** Pictures as PNG files: complete under their name or not there at all, with their recipe inside. */
import { randomUUID } from "node:crypto";
import { access, link, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { writeWhole } from "../../bytes/node/atomic-file.ts";
import { TillerError } from "../../errors.ts";
import { parametersText } from "../../recipe/parameters.ts";
import { withTexts } from "../../recipe/png-text.ts";
import { type Recipe, recipeSchema } from "../../recipe/recipe.ts";

/** Decoded pixels: `data` is [height, width, 3], RGB, 8 bits each. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/**
 * Encodes pixels as a PNG file. With a recipe, its text chunks `parameters` (in the form community tools read) and `tiller`
 * (Tiller's JSON) are in it.
 *
 * @throws RangeError if `data` is not height x width x 3 bytes long.
 */
export async function encodePng({ width, height, data }: Picture, recipe?: Recipe): Promise<Uint8Array> {
  if (data.length !== width * height * 3) {
    throw new RangeError(`a picture of ${width}x${height} needs ${width * height * 3} bytes, not ${data.length}`);
  }
  const png = await sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
  if (!recipe) return png;
  return withTexts(png, {
    parameters: parametersText(recipe, width, height),
    // Parsed, for the order of its keys: the same picture made again is the same file.
    tiller: JSON.stringify(recipeSchema.parse(recipe)),
  });
}

/**
 * Writes a file under exactly this name, in the place of an older one.
 *
 * @throws TillerError if the disk or the folder refuses; nothing is left behind then.
 */
export function writePng(file: string, bytes: Uint8Array): Promise<void> {
  return writeWhole(file, bytes);
}

/**
 * Writes a new file `folder/stem.extension`, or `stem-2`, `stem-3`, … where the name is taken, even if another process takes
 * it at the same moment. Returns the file's path.
 *
 * @throws TillerError if the disk or the folder refuses; nothing is left behind then.
 */
export async function writeNew(folder: string, stem: string, extension: string, bytes: Uint8Array): Promise<string> {
  const complete = join(folder, `.${stem}.${randomUUID().slice(0, 8)}`);
  await writePng(complete, bytes).catch((error: Error) => {
    if (!(error instanceof TillerError)) throw error;
    // The name to complain about is the one the file was to have.
    throw new TillerError(error.message.replace(complete, join(folder, `${stem}.${extension}`)), { cause: error });
  });
  try {
    for (let n = 1; ; n++) {
      const file = join(folder, `${stem}${n === 1 ? "" : `-${n}`}.${extension}`);
      if (await claim(complete, file)) return file;
    }
  } finally {
    await rm(complete, { force: true });
  }
}

/** Gives a complete file its name unless that is taken. */
async function claim(complete: string, file: string): Promise<boolean> {
  try {
    await link(complete, file); // Unlike a rename, fails where the name exists.
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return false;
    // Some disks (exFAT, network shares) have no links: there a look before the rename must do.
    if (await exists(file)) return false;
    try {
      await rename(complete, file);
      return true;
    } catch (failure) {
      throw new TillerError(`${file} could not be written: ${(failure as Error).message}.`, { cause: failure });
    }
  }
}

function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
