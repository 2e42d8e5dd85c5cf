/** What a model, an adapter or a picture holds. */
import { kindOf, withSource } from "#bytes";
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
 * @param path A folder as Diffusers saves it, or one component of it; a single-file model, LoRA, Custom Diffusion or
 *   textual-inversion file; or a picture.
 * @throws TillerError if it is missing, damaged, or none of these.
 */
export async function inspect(path: string): Promise<Inspection> {
  const kind = await kindOf(path);
  if (kind === undefined) throw new TillerError("file-missing", `${path} does not exist.`, { paths: [path] });
  if (kind === "folder") return inspectFolder(path);
  if (await isPicture(path)) return { kind: "picture", file: path, ...(await readPicture(path)) };
  return inspectFile(path);
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
