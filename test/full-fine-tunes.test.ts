/** Full fine-tunes: folders of single networks, and omega between two whole checkpoints. */
import { createHash } from "node:crypto";
import { cp, mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { embeddedFolder, embeddedModel } from "../src/families/embedded.ts";
import { openModel } from "../src/families/open-model.ts";
import { Pipeline } from "../src/index.ts";
import { weakNetworks } from "../src/pipelines/weak-networks.ts";
import { startEngine } from "../src/runtime/index.ts";
import { blendTensor, pairsOf } from "../src/weights/blend.ts";
import { openCheckpoint } from "../src/weights/checkpoint.ts";
import { bytes, model, pictures, request } from "./drawing.ts";
import { fixture } from "./fixtures.ts";
import { refusal } from "./refusal.ts";

const base = fixture("pipelines/sd15-fp16");

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
  process.env.XDG_CACHE_HOME = folder;
});

/** A folder that holds only the U-Net of a model, with changes to its config. */
async function onlyUnet(name: string, changes: object = {}): Promise<string> {
  const made = join(folder, name);
  await mkdir(made);
  await cp(join(model, "unet"), join(made, "unet"), { recursive: true });
  const config = join(made, "unet/config.json");
  await writeFile(config, JSON.stringify({ ...JSON.parse(await readFile(config, "utf8")), ...changes }));
  return made;
}

test("a blend equals PyTorch's, bit for bit", async () => {
  const expected: Record<string, string> = JSON.parse(await readFile(fixture("reference/blends.json"), "utf8"));
  const pairs = pairsOf(await openCheckpoint(join(model, "unet")), await openCheckpoint(join(base, "unet"), "fp16"));
  for (const [omega, sha256] of Object.entries(expected)) {
    const hash = createHash("sha256");
    for (const key of [...pairs.keys()].sort()) hash.update(await blendTensor(pairs.get(key)!, Number(omega)));
    expect(hash.digest("hex")).toBe(sha256);
  }
});

describe("a folder with only a U-Net", () => {
  test("takes the rest from its base, and omega moves between the two", async () => {
    const pipeline = await Pipeline.load(await onlyUnet("dpo"), { base, device: "cpu" });
    try {
      const at = async (omega: number) => bytes(await pictures(pipeline, { ...request, guidance: "pg", omega }));
      expect(pipeline.defaults.guidance).toBe("pg");
      const [cfg] = await pictures(pipeline, { ...request, guidance: "cfg" });
      expect(await at(1)).toEqual(bytes([cfg!]));
      const [pre, middle] = [await at(0), await at(0.4)];
      expect(middle).not.toEqual(pre);
      const built = pipeline.sessionsBuilt;
      expect(await at(0.7)).not.toEqual(middle);
      expect(await at(0.4)).toEqual(middle);
      expect(await at(0)).toEqual(pre);
      expect(pipeline.sessionsBuilt).toBe(built);
    } finally {
      await pipeline.close();
    }
  });

  test("without its base is refused, naming what is missing", async () => {
    const made = await onlyUnet("alone");
    await expect(openModel(made)).rejects.toThrow(refusal("model-incomplete", made, "unet/", "--base"));
  });

  test("of another form than its base is refused with the key of its config", async () => {
    await expect(openModel(await onlyUnet("heads", { attention_head_dim: 4 }), { base })).rejects.toThrow(
      refusal("models-differ", "attention_head_dim", "4", "2"),
    );
    await expect(openModel(await onlyUnet("other"), { base: fixture("pipelines/sd21") })).rejects.toThrow(
      refusal("models-differ", "unet"),
    );
  });

  test("may write its config as other versions of Diffusers do", async () => {
    const made = await onlyUnet("spelt", { attention_head_dim: [2, 2, 2], sample_size: 16, dropout: 0.1, extra: 1 });
    await expect(openModel(made, { base })).resolves.toMatchObject({ name: "spelt", kind: "folder" });
  });
});

test("a fine-tune of a model with defaults of its own keeps them, unless its folder has others", async () => {
  const made = join(folder, "of-dinghy");
  await mkdir(made);
  await cp(join(embeddedFolder, "unet"), join(made, "unet"), { recursive: true });
  const defaults = async () => (await openModel(made, { base: embeddedModel })).defaults;
  expect(await defaults()).toEqual((await openModel(embeddedModel)).defaults);
  await writeFile(join(made, "tiller.json"), JSON.stringify({ defaults: { scale: 4 } }));
  expect(await defaults()).toMatchObject({ scale: 4 });
});

const byPart = { parts: { "up.0": 0.2, down: 0.8 }, rest: 0.4 };

test.each([
  ["0.3", 0.3],
  ["a number for each part", byPart],
])("a blend at %s in memory and one in a file predict the same", async (_, strength) => {
  const [tuned, pre] = [await openModel(model), await openModel(base)];
  const engine = await startEngine();
  try {
    const tokens = { inputs: { ids: Array(77).fill(1) as number[] }, dropped: "" };
    const latents = { shape: [1, 4, 8, 8], data: Float32Array.from({ length: 256 }, (_, i) => Math.sin(i)) };
    const predicted = await Promise.all(
      [true, false].map(async (fits) => {
        const denoiser = await weakNetworks(engine, tuned, pre, {}, () => fits).at(strength, []);
        const rows = await denoiser.encode([{ tokens, strength }], 0);
        return (await denoiser.predict(latents, 500, await denoiser.condition(rows, 1))).data;
      }),
    );
    // Weights in files may be folded into neighbouring constants, which rounds differently.
    const difference = predicted[0]!.map((value, i) => Math.abs(value - predicted[1]![i]!));
    expect(Math.max(...difference)).toBeLessThan(1e-5 * Math.max(...predicted[0]!.map(Math.abs)));
  } finally {
    await engine.close();
  }
});

test("an omega that changes over the steps is refused where each blend would be a file", async () => {
  const [tuned, pre] = [await openModel(model), await openModel(base)];
  const engine = await startEngine();
  try {
    const refused = () => weakNetworks(engine, tuned, pre, {}, () => false).refuseMoving();
    expect(refused).toThrow(refusal("setting-invalid", "omega", "in memory"));
    expect(() => weakNetworks(engine, tuned, pre, {}, () => true).refuseMoving()).not.toThrow();
  } finally {
    await engine.close();
  }
});
