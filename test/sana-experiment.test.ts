/** An experiment on a tiny SANA (parity/sana_pictures.py) with a given adapter. */
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseExperiment } from "../src/experiments/experiment.ts";
import { runExperiment } from "../src/experiments/run-experiment.ts";
import { readRecipe } from "../src/recipe/read-recipe.ts";
import { fixture } from "./fixtures.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-sana-experiment-"));
  await mkdir(join(folder, "images"));
  const picture = sharp({ create: { width: 64, height: 64, channels: 3, background: "teal" } });
  await picture.toFile(join(folder, "images", "one.png"));
});
afterAll(() => rm(folder, { recursive: true }));

test("draws with SANA's defaults and its instruction, and draws again for another instruction", async () => {
  const experiment = (instruction: string) =>
    parseExperiment({
      name: "sana",
      model: fixture("sana-pipeline/model"),
      personalisation: [{ adapters: [fixture("sana-pipeline/lora.safetensors")] }],
      guidance: [{ method: "cfg" }, { method: "pg" }],
      concepts: [{ name: "dog", images: join(folder, "images"), class: "dog", live: true }],
      prompts: 1,
      pictures: 1,
      steps: 2,
      instruction,
    });
  const out = join(folder, "out");
  const drawn = async (instruction: string) => {
    const { arms } = await runExperiment(experiment(instruction), { folder: out, device: "cpu" });
    expect(arms.map(({ name }) => name)).toEqual(["cfg", "pg 0"]);
    const units = await readdir(join(out, "pictures"));
    return Promise.all(units.map((unit) => readRecipe(join(out, "pictures", unit, "0.png"))));
  };
  const first = await drawn("Draw: ");
  for (const { request } of first)
    expect(request).toMatchObject({ sampler: "dpm++", scale: 4.5, instruction: "Draw: " });
  const all = await drawn("");
  expect(all.map(({ request }) => request.instruction).sort()).toEqual(["", "", "Draw: ", "Draw: "]);
});
