/** Describes models, adapters, pictures and folders of pictures. */
import { exists, join, kindOf, withSource } from "#bytes";
import { TillerError } from "../errors/index.ts";
import { readName } from "../images/kinds.ts";
import { type PictureFile, readPicture } from "../recipe/read-recipe.ts";
import { type FileInspection, inspectFile } from "./file.ts";
import { type FolderInspection, inspectFolder, isModelFolder } from "./folder.ts";
import { inspectPictures, type PicturesInspection } from "./pictures.ts";

/** A PNG picture: its size, and its recipe or parameters. */
export interface PictureInspection extends PictureFile {
  /** Which kind of file or folder it is. */
  readonly kind: "picture";
  /** The path as given. */
  readonly file: string;
}

/** The result of {@link inspect}, distinguished by `kind`. */
export type Inspection = FolderInspection | FileInspection | PictureInspection | PicturesInspection;

/**
 * Describes a model folder, a weights file, a PNG picture or a folder of pictures, whether or not Tiller can use it. Of
 * weights, only the headers are read.
 *
 * @param path A Diffusers folder, one of its components, or an adapter's folder; a single-file model, an adapter or an
 *   embedding; a picture, or a folder of pictures.
 * @throws TillerError if it is missing, damaged or unknown.
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

/** The file in an adapter's folder, as saved by PEFT and Diffusers. */
async function adapterIn(folder: string): Promise<string | undefined> {
  for (const name of ["adapter_model", "pytorch_lora_weights", "pytorch_custom_diffusion_weights"]) {
    const file = join(folder, `${name}.safetensors`);
    if (await exists(file)) return file;
  }
  return undefined;
}

/** By its name, so that a damaged picture is reported as a picture, or by its first bytes. */
async function isPicture(file: string): Promise<boolean> {
  if (readName.test(file) && !/png$/i.test(file)) {
    throw new TillerError("recipe-missing", `${file} has no recipe: only PNG pictures carry one.`, { paths: [file] });
  }
  if (readName.test(file)) return true;
  const head = await withSource(file, (source) => source.read(0, Math.min(4, source.size)));
  return String.fromCharCode(...head) === "\x89PNG";
}
