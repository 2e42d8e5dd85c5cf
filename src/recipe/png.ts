/** Encodes pictures as PNG files that contain their recipe. */
import { encodePixels } from "#images";
import type { Pixels } from "../images/pixels.ts";
import { parametersText } from "./parameters.ts";
import { withTexts } from "./png-text.ts";
import { type Recipe, recipeSchema } from "./recipe.ts";

/**
 * Encodes pixels as a PNG file. A recipe is stored in the text chunks `parameters` (the format of community tools) and
 * `tiller` (JSON).
 *
 * @throws RangeError if `data` is not height x width x 3 bytes long.
 */
export async function encodePng(pixels: Pixels, recipe?: Recipe): Promise<Uint8Array<ArrayBuffer>> {
  const { width, height, data } = pixels;
  if (data.length !== width * height * 3) {
    throw new RangeError(`a picture of ${width}x${height} needs ${width * height * 3} bytes, not ${data.length}`);
  }
  const png = await encodePixels(pixels);
  if (!recipe) return png;
  return withTexts(png, {
    parameters: parametersText(recipe, width, height),
    // Parsed for a fixed key order, so that the same picture made again is the same file.
    tiller: JSON.stringify(recipeSchema.parse(recipe)),
  });
}
