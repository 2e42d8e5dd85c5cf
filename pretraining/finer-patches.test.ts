/** A ViT with finer patches gives the features of the original ViT at twice the picture size. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { moduleOf } from "../src/models/module.ts";
import { spreading } from "../src/models/positions.ts";
import { vit, vitConfig } from "../src/models/vit.ts";
import { normalValues } from "../src/random/streams.ts";
import { float32, startEngine, type Tensor } from "../src/runtime/index.ts";
import { openCheckpoint } from "../src/weights/checkpoint.ts";
import { finerPatches } from "./finer-patches.ts";
import { vitPatches } from "./finer-vit.ts";
import { readTensors } from "./read-tensors.ts";
import { openWeights } from "./stage.ts";

const folder = fileURLToPath(new URL("../parity/fixtures/encoders/vit", import.meta.url));

test("the features equal those of each patch at twice its size", async () => {
  const config = vitConfig(JSON.parse(readFileSync(`${folder}/config.json`, "utf8")));
  const { image_size: side, patch_size: size } = config;
  const half = size / 2;
  const coarse = await readTensors(await openCheckpoint(folder));
  const fine = finerPatches(coarse, vitPatches, config);

  const picture = normalValues(1, "picture", 0, 3 * side * side);
  const larger = new Float32Array(4 * picture.length);
  const spread = spreading(half, size); // [size * size, half * half]
  for (let channel = 0; channel < 3; channel++) {
    for (let y = 0; y < 2 * side; y++) {
      for (let x = 0; x < 2 * side; x++) {
        const row = spread.subarray(((y % size) * size + (x % size)) * half * half);
        let sum = 0;
        for (let k = 0; k < half * half; k++) {
          const [sourceY, sourceX] = [
            Math.floor(y / size) * half + Math.floor(k / half),
            Math.floor(x / size) * half + (k % half),
          ];
          sum += row[k]! * picture[(channel * side + sourceY) * side + sourceX]!;
        }
        larger[(channel * 2 * side + y) * 2 * side + x] = sum;
      }
    }
  }

  const engine = await startEngine({ threads: 1 });
  try {
    const features = async (values: ReadonlyMap<string, Tensor>, own: typeof config, data: Float32Array) => {
      const module = moduleOf(openWeights(values), { open: new Set(values.keys()) });
      const session = await engine.compile("vit", vit(module, own));
      const { image_size: wide } = own;
      return [
        ...(await session.run({ ...Object.fromEntries(values), picture: float32([1, 3, wide, wide], data) })).features!
          .data,
      ];
    };
    const [a, b] = [
      await features(fine, { ...config, patch_size: half }, picture),
      await features(coarse, { ...config, image_size: 2 * side }, larger),
    ];
    // Features have a standard deviation near 1; the two sum in different orders, in float32.
    for (const [i, value] of a.entries()) expect(value).toBeCloseTo(b[i]!, 4);
  } finally {
    await engine.close();
  }
});
