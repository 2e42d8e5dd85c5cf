/** Reads the picture and the mask that a request starts from. */
import { exists, startHash } from "#bytes";
import { readPixels } from "#images";
import { sha256Of } from "../bytes/hash-file.ts";
import { TillerError } from "../errors/index.ts";
import type { Pixels } from "../images/pixels.ts";
import type { GivenPicture, PictureRequest, RecordedPicture } from "../recipe/request.ts";

/** A picture as it is in its file, upright and on white. */
export interface ReadPicture extends Pixels {
  readonly recorded: RecordedPicture;
}

/** A request's picture and mask, of one size. */
export interface GivenPictures {
  readonly image: ReadPicture;
  readonly mask: ReadPicture | undefined;
}

/**
 * Undefined if the request starts from noise alone.
 *
 * @throws TillerError if a file is missing or is no picture, if it is not the one of the recipe that the request comes from, or if
 *   the mask is of another size.
 */
export async function readGiven(request: Pick<PictureRequest, "image" | "mask">): Promise<GivenPictures | undefined> {
  if (request.image === undefined) return undefined;
  const image = await read(request.image, "image");
  const mask = request.mask === undefined ? undefined : await read(request.mask, "mask");
  if (mask && (mask.width !== image.width || mask.height !== image.height)) {
    throw new TillerError(
      "mask-size",
      `the mask is ${mask.width}x${mask.height}, and the picture is ${image.width}x${image.height}: make them the same size.`,
    );
  }
  return { image, mask };
}

async function read(given: GivenPicture, role: "image" | "mask"): Promise<ReadPicture> {
  if (typeof given === "object" && "data" in given) return { ...given, recorded: { sha256: await hashOf(given) } };
  const recorded = typeof given === "object" ? given : undefined;
  const file = typeof given === "string" ? given : given.file;
  const what = role === "image" ? "the picture that the recipe starts from" : "the mask of the recipe";
  if (recorded && (file === undefined || !(await exists(file)))) {
    throw new TillerError(
      "picture-needed",
      `${what} is needed again and ${file === undefined ? "has no file" : `is not at ${file}`}: give it with --${role} (its SHA-256 begins with ${recorded.sha256.slice(0, 12)}).`,
      { paths: file === undefined ? [] : [file] },
    );
  }
  const sha256 = await sha256Of(file!);
  if (recorded && recorded.sha256 !== sha256) {
    throw new TillerError(
      "picture-changed",
      `${file} is not ${what}: it has another SHA-256; restore it, or choose a picture with --${role}.`,
      { paths: [file!] },
    );
  }
  return { ...(await readPixels(file!)), recorded: { file: file!, sha256 } };
}

/** SHA-256 of the size and the pixels. */
async function hashOf({ width, height, data }: Pixels): Promise<string> {
  const hash = startHash();
  hash.update(`${width}x${height}\n`);
  hash.update(data);
  return hash.digest();
}
