/** What a model, an adapter, a picture or a folder of pictures holds. */
import { exists, join, kindOf, withSource } from "#bytes";
import { TillerError } from "../errors/index.ts";
import { readName } from "../images/kinds.ts";
import { type PictureFile, readPicture } from "../recipe/read-recipe.ts";
import { type FileInspection, inspectFile } from "./file.ts";
import { type FolderInspection, inspectFolder, isModelFolder } from "./folder.ts";
import { inspectPictures, type PicturesInspection } from "./pictures.ts";

/** A PNG picture: its size, and what it says of how it was made. */
export interface PictureInspection extends PictureFile {
  /** Which kind of file or folder it is. */
  readonly kind: "picture";
  /** As it was named. */
  readonly file: string;
}

/** What {@link inspect} finds; `kind` says which of these it is. */
export type Inspection = FolderInspection | FileInspection | PictureInspection | PicturesInspection;

/**
 * Says what a model's folder, a safetensors file, a PNG picture or a folder of pictures holds, whether Tiller can run it or
 * not. Of weights only the headers are read.
 *
 * @param path A folder as Diffusers saves it, one component of it, or an adapter's; a single-file model, an adapter or an
 *   embedding; or a picture, or a folder of pictures.
 * @throws TillerError if it is missing, damaged, or none of these.
 */
export async function inspect(path: string): Promise<Inspection> {
  const kind = await kindOf(path);
  if (kind === undefined && !(await exists(path)))
    throw new TillerError("file-missing", `${path} does not exist.`, { paths: [path] });
  if (kind === "folder") {
    const adapter = await adapterIn(path);
    if (adapter !== undefined) return inspectFile(adapter);
    return ((await isModelFolder(path)) ? undefined : await inspectPictures(path)) ?? inspectFolder(path);
  }
  if (await isPicture(path)) return { kind: "picture", file: path, ...(await readPicture(path)) };
  return inspectFile(path);
}

/** The file of an adapter's folder, as PEFT and Diffusers save one. */
async function adapterIn(folder: string): Promise<string | undefined> {
  for (const name of ["adapter_model", "pytorch_lora_weights", "pytorch_custom_diffusion_weights"]) {
    const file = join(folder, `${name}.safetensors`);
    if (await exists(file)) return file;
  }
  return undefined;
}

/** By its name, so that a damaged picture is called one, or by its first bytes. */
async function isPicture(file: string): Promise<boolean> {
  if (readName.test(file) && !/png$/i.test(file)) {
    throw new TillerError("recipe-missing", `${file} has no recipe: only PNG pictures carry one.`, { paths: [file] });
  }
  if (readName.test(file)) return true;
  const head = await withSource(file, (source) => source.read(0, Math.min(4, source.size)));
  return String.fromCharCode(...head) === "\x89PNG";
}
