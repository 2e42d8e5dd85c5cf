/** Describes models, adapters and pictures. */
import { exists, join, kindOf, withSource } from "#bytes";
import { TillerError } from "../errors/index.ts";
import { type PictureFile, readPicture } from "../recipe/read-recipe.ts";
import { type FileInspection, inspectFile } from "./file.ts";
import { type FolderInspection, inspectFolder } from "./folder.ts";

/** A PNG picture: its size, and its recipe or parameters. */
export interface PictureInspection extends PictureFile {
  /** Which kind of file or folder it is. */
  readonly kind: "picture";
  /** The path as given. */
  readonly file: string;
}

/** The result of {@link inspect}, distinguished by `kind`. */
export type Inspection = FolderInspection | FileInspection | PictureInspection;

/**
 * Describes a model folder, a weights file or a PNG picture, whether Tiller can run it or not. Only the headers of weights are
 * read.
 *
 * @param path A Diffusers folder, one of its components, or an adapter's folder; a single-file model, an adapter or an
 *   embedding; or a picture.
 * @throws TillerError if it is missing, damaged or unknown.
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
  if (/\.(jpe?g|webp|gif|avif)$/i.test(file)) {
    throw new TillerError("recipe-missing", `${file} has no recipe: only PNG pictures carry one.`, { paths: [file] });
  }
  if (/\.png$/i.test(file)) return true;
  const head = await withSource(file, (source) => source.read(0, Math.min(4, source.size)));
  return String.fromCharCode(...head) === "\x89PNG";
}
