/** The texts that pictures are measured against. */

import { z } from "zod";
import { basename, exists, join } from "#bytes";
import { readJson, readText } from "../bytes/json-file.ts";
import { TillerError } from "../errors/index.ts";
import { captionFileOf, pictureNames } from "../images/folder.ts";
import { readPicture } from "../recipe/read-recipe.ts";

export interface PictureText {
  readonly file: string;
  readonly text: string;
}

/**
 * A folder's pictures in the order of their names, without the contact sheets of `tiller sweep`, each with its text: from the
 * file `prompts` (a JSON object of texts by picture name, or one line per picture in order), else from the `.txt` file beside the
 * picture, its recipe, or `prompt`.
 *
 * @throws TillerError naming a picture without a text, or `prompts` if it has the wrong number of lines or is JSON of another
 * form.
 */
export async function textsOf({
  images,
  prompts,
  prompt,
}: {
  readonly images: string;
  readonly prompts?: string | undefined;
  readonly prompt?: string | undefined;
}): Promise<PictureText[]> {
  const names = (await pictureNames(images)).filter((name) => !/^sheet(-\d+)?\.png$/.test(name));
  const given = prompts === undefined ? undefined : await readPrompts(prompts, names);
  const pictures: PictureText[] = [];
  for (const name of names) {
    const file = join(images, name);
    pictures.push({ file, text: given?.get(name) ?? (await textOf(file, prompt)) });
  }
  return pictures;
}

async function readPrompts(file: string, names: readonly string[]): Promise<ReadonlyMap<string, string>> {
  if (file.toLowerCase().endsWith(".json")) {
    return new Map(Object.entries(await readJson(file, z.record(z.string(), z.string()))));
  }
  const text = await readText(file, 1 << 24);
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== "");
  if (lines.length !== names.length) {
    throw new TillerError(
      "texts-mismatch",
      `${file} has ${lines.length} lines for ${names.length} pictures: give one line per picture, or a .json file of texts by name.`,
      { paths: [file] },
    );
  }
  return new Map(names.map((name, i) => [name, lines[i]!.trim()]));
}

async function textOf(file: string, usual: string | undefined): Promise<string> {
  const beside = captionFileOf(file);
  const caption = (await exists(beside)) ? (await readText(beside, 1 << 20)).trim() : "";
  if (caption !== "") return caption;
  const text = (await promptIn(file, usual)) ?? usual;
  if (text !== undefined) return text;
  throw new TillerError(
    "text-missing",
    `${basename(file)} has no recipe, and there is no ${basename(captionFileOf(file))} beside it: give its text with --prompt or --prompts.`,
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
