/** The sets of pictures in folders: `METHOD/SUBJECT/NAME.png`, a set for each name. */
import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { refusal } from "../bytes/node/refusal.ts";
import { TillerError } from "../errors/index.ts";
import { pictureFolder } from "../images/folder.ts";
import { withoutToken } from "../metrics/index.ts";
import { type PictureText, textsOf } from "../metrics/texts.ts";
import type { Candidate } from "./candidate.ts";
import type { Offered } from "./from-results.ts";
import { plainWords } from "./plain-words.ts";
import type { FromFolders } from "./study-file.ts";

/**
 * A setting whose methods are folders. Subjects are the folders in `references`; every method has a folder of each subject's name with
 * pictures of the same names. Their prompts are in `.txt` files beside them, or in the pictures' recipes.
 *
 * @throws TillerError if a folder or a prompt is missing, or a method lacks a picture or has another prompt than the others.
 */
export async function setsOfFolders({ name, references, token, methods }: FromFolders): Promise<Offered> {
  const subjects = await foldersIn(references);
  if (subjects.length === 0)
    throw new TillerError(
      "study-invalid",
      `${references} has no folders: put the pictures of each subject into a folder of its name.`,
      { paths: [references] },
    );
  const candidates: Candidate[] = [];
  for (const subject of subjects) {
    const { pictures } = await pictureFolder(join(references, subject));
    const own = pictures.map(({ file }) => file);
    const folders = Object.values(methods).map((method) => join(method, subject));
    const shown = await Promise.all(folders.map(picturesByName));
    for (const picture of new Set(shown.flatMap((those) => [...those.keys()]))) {
      const those = shown.map((one, i) => one.get(picture) ?? lacking(folders[i]!, picture));
      const texts = those.map(({ text }) => plainWords(withoutToken(text, token)));
      const other = texts.findIndex((text) => text !== texts[0]);
      if (other > 0) {
        const files = [those[0]!.file, those[other]!.file];
        throw new TillerError(
          "study-pictures-differ",
          `${files.join(" and ")} have different prompts: draw both with one.`,
          {
            paths: files,
          },
        );
      }
      candidates.push({ subject, text: texts[0]!, pictures: those.map(({ file }) => file), references: own });
    }
  }
  return { setting: { name, methods: Object.keys(methods) }, candidates };
}

async function picturesByName(folder: string): Promise<ReadonlyMap<string, PictureText>> {
  const { pictures } = await textsOf({ images: folder });
  return new Map(pictures.map((one) => [basename(one.file), one]));
}

function lacking(folder: string, picture: string): never {
  throw new TillerError(
    "study-pictures-differ",
    `${folder} has no ${picture}, which another method has: draw it, or remove it there.`,
    {
      paths: [folder],
    },
  );
}

async function foldersIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    throw refusal(error, folder);
  });
  return entries
    .filter((one) => one.isDirectory() && !one.name.startsWith("."))
    .map((one) => one.name)
    .sort();
}
