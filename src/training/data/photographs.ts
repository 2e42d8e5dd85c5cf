/**
 * Detects photographs, which the embedded model cannot learn.
 *
 * Its autoencoder knows only the drawn world and gets even the broad colours of a photograph wrong. Reconstructions are compared
 * in patches of 8x8 pixels, so that neither fine detail nor compression artefacts count.
 */
import { embeddedModel } from "../../families/embedded.ts";
import { openModel } from "../../families/open-model.ts";
import { bytesOf } from "../../images/pixels.ts";
import { lazyDecoder } from "../../pipelines/decoder.ts";
import { startEngine } from "../../runtime/index.ts";
import { buildLatentEncoder } from "../objective/latents.ts";
import { readPictures } from "./pictures.ts";

/** Pixels along a patch's side. */
const patch = 8;

/**
 * The least root-mean-square error of the patches' colours, out of 255, at which a picture counts as a photograph.
 *
 * Measured on 2,063 pictures of the drawn world and by dinghy, some as JPEG of quality 50 to 90 and some resized: 0.9 to 4.9,
 * median 2.0. On 243 versions of 24 photographs, whole, cropped, at 64 pixels, blurred and as JPEG of quality 30: 4.4 to 28,
 * median 11. The median of three pictures was never above 4.2, nor below 6.2 for whole photographs.
 */
const leastError = 5;

/** Only the first pictures of a folder are checked. */
const mostPictures = 16;

export interface LookOptions {
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Whether most pictures of a folder are photographs; for people's own drawings the answer may be either.
 *
 * @throws TillerError if the folder is missing or has no pictures, or a picture cannot be read (the first is named).
 */
export async function arePhotographs(folder: string, { threads, signal }: LookOptions = {}): Promise<boolean> {
  const model = await openModel(embeddedModel);
  const { pictures } = await readPictures(folder, model.defaults.height, { signal, most: mostPictures });
  const engine = await startEngine({ device: "cpu", threads });
  try {
    const encoder = await buildLatentEncoder(engine, model);
    const decoder = lazyDecoder(engine, model);
    const errors: number[] = [];
    for (const picture of pictures) {
      signal?.throwIfAborted();
      const planes = await picture.planes();
      const [channels, height, width] = encoder.shape(planes.size);
      const mean = new Float32Array(channels * height * width);
      const latents = encoder.sample(await encoder.encode(planes), mean);
      errors.push(patchError(bytesOf(planes.data), (await decoder.decode(latents, height, width)).data, planes.size));
    }
    errors.sort((a, b) => a - b);
    return errors[Math.floor(errors.length / 2)]! >= leastError;
  } finally {
    await engine.close();
  }
}

/** The root-mean-square difference of the patches' mean colours between two pictures, [size, size, 3]. */
export function patchError(one: Uint8Array, other: Uint8Array, size: number): number {
  const across = size / patch;
  const sums = new Float64Array(across * across * 3);
  for (let i = 0; i < one.length; i++) {
    const pixel = Math.floor(i / 3);
    const [x, y] = [Math.floor((pixel % size) / patch), Math.floor(pixel / size / patch)];
    const at = (y * across + x) * 3 + (i % 3);
    sums[at] = sums[at]! + one[i]! - other[i]!;
  }
  const squares = sums.reduce((sum, difference) => sum + (difference / (patch * patch)) ** 2, 0);
  return Math.sqrt(squares / sums.length);
}
