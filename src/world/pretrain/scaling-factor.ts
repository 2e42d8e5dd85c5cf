/** The autoencoder's scaling factor: what brings its latents to standard deviation 1, as the noise schedule expects. */

import { join } from "node:path";
import { writeAll, writeAtomically } from "../../files/atomic-file.ts";
import { jsonObject, readJson } from "../../files/json-file.ts";
import { startEngine } from "../../runtime/index.ts";
import { buildLatentEncoder } from "../../training/latents.ts";
import { normalValues } from "../../training/random.ts";
import { openCheckpoint } from "../../weights/checkpoint.ts";
import { side } from "../render.ts";
import { planesOfSample, worldSample } from "./sampling.ts";

/** Pictures that it is measured on. */
const pictures = 256;

/** Measures the factor on training pictures and writes it into the folder's config.json. */
export async function measureScalingFactor(folder: string): Promise<number> {
  const config = await readJson(join(folder, "config.json"), jsonObject);
  const engine = await startEngine();
  try {
    const weights = await openCheckpoint(folder);
    const encoder = await buildLatentEncoder(engine, { config: { ...config, scaling_factor: 1 }, weights });
    const [channels, height, width] = encoder.shape(side);
    let [sum, squares, count] = [0, 0, 0];
    for (let i = 0; i < pictures; i++) {
      const moments = await encoder.encode({ size: side, data: planesOfSample(worldSample(i, "training")) });
      for (const value of encoder.sample(moments, normalValues(5, "latents", i, channels * height * width))) {
        sum += value;
        squares += value * value;
        count++;
      }
    }
    const factor = 1 / Math.sqrt(squares / count - (sum / count) ** 2);
    const text = `${JSON.stringify({ ...config, scaling_factor: factor }, null, 2)}\n`;
    await writeAtomically(join(folder, "config.json"), (handle) => writeAll(handle, new TextEncoder().encode(text)));
    return factor;
  } finally {
    await engine.close();
  }
}
