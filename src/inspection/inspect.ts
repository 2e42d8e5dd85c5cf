/** What a model, an adapter or a picture holds. */
import { exists, join, kindOf, withSource } from "#bytes";
import { TillerError } from "../errors/index.ts";
import { type PictureFile, readPicture } from "../recipe/read-recipe.ts";
import { type FileInspection, inspectFile } from "./file.ts";
import { type FolderInspection, inspectFolder } from "./folder.ts";

/** A PNG picture: its size, and what it says of how it was made. */
export interface PictureInspection extends PictureFile {
  /** Which kind of file or folder it is. */
  readonly kind: "picture";
  /** As it was named. */
  readonly file: string;
}

/** What {@link inspect} finds; `kind` says which of these it is. */
export type Inspection = FolderInspection | FileInspection | PictureInspection;

/**
 * Says what a model's folder, a safetensors file or a PNG picture holds, whether Tiller can run it or not. Of weights only
 * the headers are read.
 *
 * @param path A folder as Diffusers saves it, one component of it, or an adapter's; a single-file model, an adapter or an
 *   embedding; or a picture.
 * @throws TillerError if it is missing, damaged, or none of these.
 */
export async function inspect(path: string): Promise<Inspection> {
  const kind = await kindOf(path);
  if (kind === undefined && !(await exists(path)))
    throw new TillerError("file-missing", `${path} does not exist.`, { paths: [path] });
  if (kind === "folder") {
    const adapter = await adapterIn(path);
    return adapter === undefined ? inspectFolder(path) : inspectFile(adapter);
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
  if (/\.(jpe?g|webp|gif|avif)$/i.test(file)) {
    throw new TillerError("recipe-missing", `${file} has no recipe: only PNG pictures carry one.`, { paths: [file] });
  }
  if (/\.png$/i.test(file)) return true;
  const head = await withSource(file, (source) => source.read(0, Math.min(4, source.size)));
  return String.fromCharCode(...head) === "\x89PNG";
}
