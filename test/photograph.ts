/** A picture for tests that is no drawing of the world. */
import sharp from "sharp";

/**
 * What stands for a photograph: light and colour that vary smoothly at every size at once, as in nature's pictures, whose
 * contrast falls with fineness. Made here, for no photograph is in the repository.
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
