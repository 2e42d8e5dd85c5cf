/** Reads the recipe from a picture. */
import type { ByteSource } from "../bytes/source.ts";
import { TillerError } from "../errors/index.ts";
import { readTexts, textsIn } from "./png-text.ts";
import { type Recipe, recipeSchema } from "./recipe.ts";

/** A PNG's size, and its record of how it was made. */
export interface PictureFile {
  /** Pixels. */
  readonly width: number;
  /** Pixels. */
  readonly height: number;
  /** Its recipe, if Tiller made it. */
  readonly recipe: Recipe | undefined;
  /** The `parameters` text of community tools, which Tiller writes too. */
  readonly parameters: string | undefined;
}

/**
 * Reads a PNG's size and its record of how it was made.
 *
 * @throws TillerError if the file is not a PNG or is damaged, or this version of Tiller cannot read its recipe.
 */
export async function readPicture(file: string): Promise<PictureFile> {
  const { width, height, texts } = await readTexts(file, ["tiller", "parameters"]);
  const json = texts.get("tiller");
  return {
    width,
    height,
    recipe: json === undefined ? undefined : parseRecipe(json, file),
    parameters: texts.get("parameters"),
  };
}

/**
 * Reads the recipe of a picture made by Tiller.
 *
 * @throws TillerError as {@link readPicture} does, and if the picture has no recipe.
 */
export async function readRecipe(file: string): Promise<Recipe> {
  const { recipe, parameters } = await readPicture(file);
  if (recipe) return recipe;
  throw new TillerError(
    "recipe-missing",
    parameters === undefined
      ? `${file} holds no recipe: it was not made by Tiller, or another program dropped the recipe when saving it.`
      : `${file} holds another tool's parameters but no Tiller recipe: show them with tiller inspect, and pass them as options.`,
    { paths: [file] },
  );
}

/** The recipe of a picture in memory; undefined if there is none or it cannot be read. */
export async function recipeIn(source: ByteSource): Promise<Recipe | undefined> {
  try {
    const json = (await textsIn(source, ["tiller"])).texts.get("tiller");
    return json === undefined ? undefined : parseRecipe(json, source.name);
  } catch {
    return undefined;
  }
}

function parseRecipe(json: string, file: string): Recipe {
  const refused = (why: string, cause?: unknown) =>
    new TillerError(
      "recipe-invalid",
      `The recipe in ${file} cannot be used: ${why}. It is damaged, or was written by a newer Tiller.`,
      { paths: [file], cause },
    );
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw refused("it is not valid JSON", error);
  }
  const parsed = recipeSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const at = issue?.path.length ? ` at ${issue.path.join(".")}` : "";
  throw refused(`${issue?.message ?? "it has an unknown form"}${at}`, parsed.error);
}
