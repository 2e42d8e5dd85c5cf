/** A synthetic photograph for tests. */
import sharp from "sharp";

/**
 * Replaces a photograph: light and colour vary smoothly at all scales, with less contrast at finer ones, as in natural images.
 * Synthesised, because the repository has no photographs.
 */
export async function photograph(seed: number, file: string): Promise<void> {
  let state = seed + 1;
  const random = () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
  const side = 256;
  const light = new Float32Array(side * side * 3).fill(128);
  for (let cells = 2; cells <= 128; cells *= 2) {
    const noise = Uint8Array.from({ length: cells * cells * 3 }, () => 255 * random());
    const layer = await sharp(noise, { raw: { width: cells, height: cells, channels: 3 } })
      .resize(side, side, { kernel: "cubic" })
      .raw()
      .toBuffer();
    for (let i = 0; i < light.length; i++) light[i] = light[i]! + ((layer[i]! - 128) * 1.2) / Math.sqrt(cells);
  }
  const pixels = Uint8Array.from(light, (v) => Math.min(255, Math.max(0, v)));
  await sharp(pixels, { raw: { width: side, height: side, channels: 3 } })
    .jpeg({ quality: 85 })
    .toFile(file);
}
