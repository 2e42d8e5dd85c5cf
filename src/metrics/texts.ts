/** The texts that pictures are measured against. */

import { z } from "zod";
import { basename, extname } from "#bytes";
import { readJson } from "../bytes/json-file.ts";
import { TillerError } from "../errors/index.ts";
import { readCaption, readLines, readMetadata } from "../images/captions.ts";
import { type FolderPicture, onlyPictures, pictureFolder, pictureWarnings } from "../images/folder.ts";
import { readPicture } from "../recipe/read-recipe.ts";

export interface PictureText {
  readonly file: string;
  readonly text: string;
}

export interface PictureTexts {
  readonly pictures: readonly PictureText[];
  /** Warnings about pictures that are left out, and texts without a picture. */
  readonly warnings: readonly string[];
}

/**
 * A folder's pictures in the order of their names, without the contact sheets of `tiller sweep`, each with its text: from the
 * file `prompts` (a JSON object or `metadata.jsonl` of texts by picture name, or one line per picture in order), else from the
 * caption beside the picture, its recipe, or `prompt`.
 *
 * @throws TillerError naming a picture without a text, a `prompts` file with the wrong number of lines or unexpected JSON, or a
 *   text file that is not UTF-8.
 */
export async function textsOf({
  images,
  prompts,
  prompt,
}: {
  readonly images: string;
  readonly prompts?: string | undefined;
  readonly prompt?: string | undefined;
}): Promise<PictureTexts> {
  const folder = await pictureFolder(images);
  const shown = folder.pictures.filter(({ name }) => !/^sheet(-\d+)?\.png$/.test(name));
  const warnings = await pictureWarnings(onlyPictures({ ...folder, pictures: shown }));
  const names = new Set(shown.map(({ name }) => name));
  const given = prompts === undefined ? undefined : await readPrompts(prompts, [...names]);
  const strangers = [...(given?.keys() ?? [])].filter((name) => !names.has(name));
  if (strangers.length > 0)
    warnings.push(
      `${prompts} has texts for ${strangers.length} pictures that are not in ${images}, such as ${strangers[0]}`,
    );
  const pictures: PictureText[] = [];
  for (const picture of shown)
    pictures.push({ file: picture.file, text: given?.get(picture.name) ?? (await textOf(picture, prompt)) });
  return { pictures, warnings };
}

async function readPrompts(file: string, names: readonly string[]): Promise<ReadonlyMap<string, string>> {
  if (/\.json$/i.test(file)) return new Map(Object.entries(await readJson(file, z.record(z.string(), z.string()))));
  if (/\.jsonl$/i.test(file)) return readMetadata(file);
  const lines = await readLines(file);
  if (lines.length !== names.length) {
    throw new TillerError(
      "texts-mismatch",
      `${file} has ${lines.length} lines for ${names.length} pictures: give one line per picture, or a .json file of texts by name.`,
      { paths: [file] },
    );
  }
  return new Map(names.map((name, i) => [name, lines[i]!]));
}

async function textOf({ file, caption }: FolderPicture, usual: string | undefined): Promise<string> {
  const text = (caption && (await readCaption(caption))) ?? (await promptIn(file, usual)) ?? usual;
  if (text !== undefined) return text;
  throw new TillerError(
    "text-missing",
    `${basename(file)} has no recipe, and there is no ${basename(file, extname(file))}.txt beside it: give its text with --prompt or --prompts.`,
    { paths: [file] },
  );
}

/** The prompt in a picture's recipe. An unreadable recipe is ignored if there is a `usual` text. */
async function promptIn(file: string, usual: string | undefined): Promise<string | undefined> {
  if (!file.toLowerCase().endsWith(".png")) return undefined;
  try {
    return (await readPicture(file)).recipe?.request.prompt;
  } catch (error) {
    if (usual === undefined) throw error;
    return undefined;
  }
}

/**
 * Removes the subject's token, which CLIP does not know, from a prompt. Punctuation after the token stays.
 *
 * @param token One word, such as `sks` or `<cat>`; if empty, nothing is removed.
 */
export function withoutToken(text: string, token: string): string {
  if (token === "") return text;
  return text
    .split(/\s+/)
    .filter((part) => part !== "")
    .reduce((kept, part) => {
      const rest = part.startsWith(token) ? part.slice(token.length) : undefined;
      return rest !== undefined && /^[,.;:!?]*$/.test(rest) ? kept + rest : `${kept} ${part}`;
    }, "")
    .trim();
}
