/** Reads and writes pictures with the browser's own decoders. */
import { withSource } from "#bytes";
import { TillerError } from "../../errors/index.ts";
import { roundHalfEven } from "../../rounding.ts";
import { refuseOtherKinds } from "../kinds.ts";
import type { Pixels, Square } from "../pixels.ts";
import { coverSize, resized } from "../resample.ts";

/**
 * The first frame of a picture file as RGB: rotated by its EXIF orientation, converted to sRGB, composited on white.
 *
 * @throws TillerError naming the file if its format is not supported, or it cannot be decoded.
 */
export const readPixels = (file: string): Promise<Pixels> =>
  withSource(file, async (source) => decoded(file, await source.read(0, source.size)));

async function decoded(file: string, bytes: Uint8Array): Promise<Pixels> {
  refuseOtherKinds(file, bytes);
  const blob = new Blob([bytes as Uint8Array<ArrayBuffer>]);
  const bitmap = await createImageBitmap(blob, { imageOrientation: "from-image" }).catch((error: unknown) => {
    throw new TillerError("picture-unreadable", `${file} is not a picture that can be read: save it as JPEG or PNG.`, {
      paths: [file],
      cause: error,
    });
  });
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d", { colorSpace: "srgb" })!;
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const rgba = context.getImageData(0, 0, width, height).data;
  const data = new Uint8Array(3 * width * height);
  for (let i = 0; i < data.length; i++) data[i] = rgba[4 * Math.floor(i / 3) + (i % 3)]!;
  return { width, height, data };
}

/** The same, with the shorter side resized to `size` (bilinear, like PIL) and the centre cropped. */
export async function decodeCovering(file: string, bytes: Uint8Array, size: number): Promise<Square> {
  const whole = await decoded(file, bytes);
  const { width, height, data } = resized(whole, coverSize(whole, size), "bilinear");
  const [left, top] = [roundHalfEven((width - size) / 2), roundHalfEven((height - size) / 2)];
  const cut = new Uint8Array(3 * size * size);
  for (let y = 0; y < size; y++) {
    const from = 3 * ((top + y) * width + left);
    cut.set(data.subarray(from, from + 3 * size), 3 * y * size);
  }
  const original = { width: whole.width, height: whole.height };
  return { width: size, height: size, data: cut, original, crop: { left, top } };
}

/** A PNG file. */
export async function encodePixels({ width, height, data }: Pixels): Promise<Uint8Array<ArrayBuffer>> {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d")!;
  const rgba = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    rgba.data.set(data.subarray(3 * i, 3 * i + 3), 4 * i);
    rgba.data[4 * i + 3] = 255;
  }
  context.putImageData(rgba, 0, 0);
  return new Uint8Array(await (await canvas.convertToBlob({ type: "image/png" })).arrayBuffer());
}
