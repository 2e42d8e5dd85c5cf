/**
 * Minimal versions of files reported in public threads (`parity/fixtures/cases`), with pictures by Diffusers and PEFT.
 * docs/compatibility.md lists the threads.
 */
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { inspect, type LoadOptions, type PictureRequest, Pipeline } from "../src/index.ts";
import { fixture } from "./fixtures.ts";
import { refusal } from "./refusal.ts";

const cases = (name: string): string => fixture(`cases/${name}`);
const base = fixture("pipelines/sd15");
const usual = { prompt: "a red cat in the snow", steps: 5, seed: 3, scale: 3, guidance: "cfg" } as const;

async function drawn(model: string, options: LoadOptions, request: Partial<PictureRequest> = {}) {
  const pipeline = await Pipeline.load(model, { device: "cpu", ...options });
  try {
    const warnings: string[] = [];
    for await (const event of pipeline.generate({ ...usual, ...request })) {
      if (event.type === "warning") warnings.push(event.message);
      if (event.type === "picture") return { data: event.data, warnings };
    }
    throw new Error("no picture came");
  } finally {
    await pipeline.close();
  }
}

/** The largest difference from a picture by Diffusers, out of 255. */
async function differenceFrom(name: string, found: Uint8Array): Promise<number> {
  const data = await sharp(cases(name)).removeAlpha().raw().toBuffer();
  expect(found.length).toBe(data.length);
  return found.reduce((most, value, i) => Math.max(most, Math.abs(value - data[i]!)), 0);
}

describe("draws the same picture as Diffusers with", () => {
  test.each([
    ["a LoRA with integer alphas", "lora-integer-alpha.safetensors", "lora-integer-alpha.png"],
    ["PEFT's alpha pattern from the path's start", "peft-caret", "peft-caret.png"],
    ["PEFT's alpha pattern with alternatives", "peft-regex", "peft-regex.png"],
    ["PEFT's patterns of ranks and alphas", "peft-ranks", "peft-ranks.png"],
    ["PEFT's file with its configuration beside it", "peft-beside/adapter_model.safetensors", "peft-beside.png"],
  ])("%s", async (_, file, picture) => {
    const { data } = await drawn(base, { adapters: [cases(file)] });
    expect(await differenceFrom(picture, data)).toBeLessThanOrEqual(1);
  });

  test("an embedding whose name has a space", async () => {
    const { data } = await drawn(base, { adapters: [cases("my cat.safetensors")] }, { prompt: "a my cat in the snow" });
    expect(await differenceFrom("my cat.png", data)).toBeLessThanOrEqual(1);
  });

  test.each([
    ["a .yaml beside the file", "with-yaml"],
    ["empty marker tensors", "marked"],
  ])("a single file is v-prediction by %s", async (_, name) => {
    const size = { width: 64, height: 64 };
    const { data, warnings } = await drawn(cases(`${name}.safetensors`), { config: cases("config") }, size);
    expect(await differenceFrom(`${name}.png`, data)).toBeLessThanOrEqual(1);
    expect(warnings).toEqual([]);
  });
});

test("a LoRA with a bundled embedding applies both", async () => {
  const file = cases("lora-bundled-embedding.safetensors");
  const pipeline = await Pipeline.load(base, { device: "cpu", adapters: [file] });
  const of = async (prompt: string) => {
    for await (const event of pipeline.generate({ ...usual, prompt })) if (event.type === "picture") return event.data;
    throw new Error("no picture came");
  };
  const [named, other] = [await of("a sks_cat in the snow"), await of("a sks_dog in the snow")];
  await pipeline.close();
  expect(named).not.toEqual(other);
  expect(await inspect(file)).toMatchObject({ kind: "lora", kinds: ["LoRA"], tokens: ["sks_cat"], obstacles: [] });
});

test("a LoRA with trained norms is applied including the norms", async () => {
  const file = cases("lora-trained-norms.safetensors");
  const [with_, without] = [await drawn(base, { adapters: [file] }), await drawn(base, {})];
  expect(with_.data).not.toEqual(without.data);
  expect(await inspect(file)).toMatchObject({ kind: "lora", kinds: ["LoRA", "trained norms"], obstacles: [] });
});

test("inspect reads the same metadata as drawing", async () => {
  for (const name of ["with-yaml", "marked"]) {
    expect(await inspect(cases(`${name}.safetensors`))).toMatchObject({ predicts: "v_prediction" });
  }
  for (const path of ["peft-regex", "peft-beside/adapter_model.safetensors"]) {
    const found = await inspect(cases(path));
    const alphas = found.kind === "lora" ? found.groups.flatMap((group) => group.alphas) : [];
    expect([...new Set(alphas)].sort()).toEqual([16, 4]);
  }
});

test("a whole checkpoint given as an adapter is refused, naming the right option", async () => {
  const file = cases("with-yaml.safetensors");
  await expect(Pipeline.load(base, { adapters: [file] })).rejects.toThrow(
    refusal("adapter-unsupported", file, "a whole checkpoint", "--model"),
  );
});

test("a single file without a prediction type is drawn with a warning, unless the option is given", async () => {
  const folder = await mkdtemp(join(tmpdir(), "tiller-cases-"));
  const alone = join(folder, "alone.safetensors");
  await copyFile(cases("with-yaml.safetensors"), alone);
  const options = { config: cases("config") };
  const size = { width: 64, height: 64 };
  const silent = await drawn(alone, options, size);
  expect(silent.warnings).toEqual([expect.stringContaining("--prediction v_prediction")]);
  const told = await drawn(alone, { ...options, prediction: "v_prediction" }, size);
  expect(told.warnings).toEqual([]);
  expect(await differenceFrom("with-yaml.png", told.data)).toBeLessThanOrEqual(1);
  await rm(folder, { recursive: true });
});
