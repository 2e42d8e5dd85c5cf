/** Masks: pictures whose white part is to be repainted. */
import type { Pixels } from "./pixels.ts";

/** 1 where a mask is at least half white, else 0: [height, width]. Colours count by their luminance (ITU-R 601), as in PIL. */
export function maskOf({ width, height, data }: Pixels): Float32Array {
  return Float32Array.from({ length: width * height }, (_, i) => {
    const [red, green, blue] = data.subarray(3 * i, 3 * i + 3) as unknown as [number, number, number];
    return (19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16 >= 128 ? 1 : 0;
  });
}

/** A mask at the latents' size: of every square of pixels the first, as in Diffusers. */
export function latentMask(mask: Float32Array, { width, height }: { width: number; height: number }, pixels: number) {
  const [across, down] = [width / pixels, height / pixels];
  return Float32Array.from({ length: across * down }, (_, i) => {
    const [y, x] = [Math.floor(i / across), i % across];
    return mask[y * pixels * width + x * pixels]!;
  });
}
