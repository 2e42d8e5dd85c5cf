/** The experiments of the published applications, end to end on tiny random models: every row, every cell, the report. */
import { copyFile, cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { writeSafetensors } from "../src/bytes/safetensors.ts";
import {
  forecastOf,
  parseExperiment,
  resultsTable,
  runExperiment,
  writeReport,
  writeSheet,
} from "../src/experiments/index.ts";
import { readFloat32, readSafetensors } from "../src/index.ts";
import { fixture } from "./fixtures.ts";
import { refusal } from "./refusal.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
  process.env.XDG_CACHE_HOME = join(folder, "cache");
  await mkdir(join(folder, "style"));
  await copyFile(fixture("encoders/pictures/0-reference.png"), join(folder, "style", "style.png"));
});
afterAll(() => rm(folder, { recursive: true }));

const pickscore = fixture("preferences/pickscore");
const dreamsim = fixture("preferences/dreamsim");

/** A published experiment with tiny networks and few steps in place of the real ones. */
async function tiny(name: string, more: object) {
  const file = fileURLToPath(new URL(`../experiments/${name}.json`, import.meta.url));
  const published = JSON.parse(await readFile(file, "utf8"));
  return parseExperiment({ ...published, steps: 2, ...more });
}

/** A full fine-tune of a model as Diffusion-DPO's are stored, a U-Net alone: its weights are a little larger. */
async function fineTuned(model: string): Promise<string> {
  const copy = join(folder, "fine-tuned");
  await cp(join(model, "unet"), join(copy, "unet"), { recursive: true });
  const unet = join(copy, "unet", "diffusion_pytorch_model.safetensors");
  const tensors = [];
  for (const [name, ref] of (await readSafetensors(unet)).tensors) {
    const values = (await readFloat32(ref)).map((value) => value * 1.05);
    tensors.push({ name, dtype: "float32" as const, shape: ref.shape, data: new Uint8Array(values.buffer) });
  }
  await writeSafetensors(unet, tensors);
  return copy;
}

/** Runs an experiment and checks that its table has the columns and rows, without an empty cell but for cfg's own difference. */
async function expectWhole(
  experiment: Awaited<ReturnType<typeof tiny>>,
  heads: readonly string[],
  rows: readonly (readonly string[])[],
) {
  const out = join(folder, experiment.name);
  const results = await runExperiment(experiment, { folder: out, device: "cpu" });
  expect(results.units.done).toBe(results.units.total);
  const table = resultsTable(results);
  const columns = heads.map((head) => table.heads.indexOf(head));
  expect(table.rows.map((row) => columns.slice(0, 2).map((column) => row[column]!.text))).toEqual(rows);
  for (const row of table.rows) for (const column of columns) expect(row[column]!.text).not.toBe("");
  const differences = table.rows.map((row) => row[columns.at(-1)! + 1]!.text);
  expect(differences.map((text) => text === "")).toEqual(rows.map(([, guidance]) => guidance!.startsWith("cfg")));
  expect(results.pairs).toHaveLength(1);
  const told = { title: experiment.name, lead: "", commands: [] };
  const page = await readFile(await writeReport(results, out, told), "utf8");
  const shown = page.match(/<img /g)!.length;
  await writeSheet(results, out, experiment.name);
  return { results, page, shown, out };
}

test("Diffusion-DPO: PickScore of a full fine-tune over its base, on PartiPrompts' table", async () => {
  const prompts = join(folder, "PartiPrompts.tsv");
  await writeFile(prompts, 'Prompt\tCategory\tChallenge\tNote\n"a" cat\tAnimals\tBasic\t\n42\tArts\tBasic\t\n');
  const base = fixture("pipelines/sd15");
  const experiment = await tiny("sd15-dpo", {
    ...{ model: await fineTuned(base), base, prompts: { file: prompts }, encoders: { pickscore } },
  });
  // Its pace is measured with the base's parts.
  const forecast = await forecastOf(experiment, { folder: join(folder, "none"), device: "cpu" });
  expect(forecast.pictures).toBe(4);
  const { results, page, shown, out } = await expectWhole(
    experiment,
    ["fine-tuning", "guidance", "PickScore"],
    [
      ["none", "cfg"],
      ["none", "pg 0.4"],
    ],
  );
  expect(results.arms[0]!.prompts.map(({ prompt }) => prompt)).toEqual(['"a" cat', "42"]);
  expect(shown).toBe(4);
  expect(page).toContain("PickScore with the prompt");
  // The weak model is another network: at the same seeds the pictures differ.
  const [cfg, pg] = results.arms.map(({ prompts: [first] }) => join(out, first!.folder, `${first!.seeds[0]}.png`));
  expect((await readFile(cfg!)).equals(await readFile(pg!))).toBe(false);
});

test("PairCustom: DreamSim of style adapters to their style's picture, each with its own words", async () => {
  const prompts = join(folder, "StyleAligned.txt");
  await writeFile(prompts, "A guitar|A sailboat\tin papercut art style.\nA guitar\tin ink.\n");
  const published = await tiny("sdxl-paircustom", { encoders: { dreamsim } });
  const adapter = fixture("sdxl-pipeline/lora.safetensors");
  const concepts = (published.concepts as object[]).map((one) => ({
    ...one,
    images: join(folder, "style"),
    adapters: [adapter],
  }));
  const experiment = await tiny("sdxl-paircustom", {
    ...{ model: fixture("sdxl-pipeline/model"), concepts, prompts: { file: prompts }, encoders: { dreamsim } },
  });
  const { results, page } = await expectWhole(
    experiment,
    ["fine-tuning", "guidance", "DreamSim"],
    [
      ["none", "cfg"],
      ["none", "style"],
      ["none", "pg 0"],
    ],
  );
  const { prompts: drawn, pictures } = results.arms[0]!;
  expect(drawn.map(({ concept, prompt }) => `${concept}: ${prompt}`)).toEqual([
    "digital-art: A guitar",
    "digital-art: A sailboat",
    "painting: A guitar",
    "painting: A sailboat",
  ]);
  // The two styles' words differ, so no picture serves both.
  expect(new Set(drawn.map(({ folder }) => folder)).size).toBe(pictures);
  expect(page).toContain("DreamSim with the subject's pictures");
});

test("InstructPix2Pix: edits by captions, their distance from the picture, and the pre-trained model as the weak one", async () => {
  const base = fixture("pipelines/sd15");
  const model = join(folder, "editing");
  for (const part of ["vae", "text_encoder", "tokenizer"])
    await cp(join(base, part), join(model, part), { recursive: true });
  await cp(fixture("editing/model"), model, { recursive: true });
  const images = join(folder, "edited");
  await mkdir(images);
  await copyFile(fixture("encoders/pictures/2-dog.png"), join(images, "dog.png"));
  await writeFile(join(images, "dog.txt"), "make it snow");
  const encoders = { clip: fixture("encoders/clip"), dino: fixture("encoders/vit"), dreamsim };
  const experiment = await tiny("sd15-edit", { model, base, edits: { images }, encoders });
  const forecast = await forecastOf(experiment, { folder: join(folder, "none"), device: "cpu" });
  expect(forecast.pictures).toBe(2);
  const { results, page, out } = await expectWhole(
    experiment,
    ["fine-tuning", "guidance", "DINO", "CLIP-I", "CLIP-T", "DreamSim"],
    [
      ["none", "cfg-edit"],
      ["none", "pg-edit 0"],
    ],
  );
  expect(page).toContain("reference pictures");
  const [cfg, pg] = results.arms.map(({ prompts: [first] }) => join(out, first!.folder, `${first!.seeds[0]}.png`));
  expect((await readFile(cfg!)).equals(await readFile(pg!))).toBe(false);
});

test("edits: each picture is measured against itself, by its caption or by every instruction", async () => {
  const photos = join(folder, "photos");
  await mkdir(photos);
  for (const name of ["2-dog", "3-clock"]) {
    await copyFile(fixture(`encoders/pictures/${name}.png`), join(photos, `${name}.png`));
    await writeFile(join(photos, `${name}.txt`), `make the ${name} blue`);
  }
  const asked = {
    ...{ name: "edits", model: fixture("pipelines/sd15"), guidance: [{ method: "cfg" }, { method: "none" }] },
    ...{ compare: [["none", "cfg"]], pictures: 1, steps: 3, sampler: "ddim" },
  };
  const own = parseExperiment({ ...asked, edits: { images: photos } });
  const { results } = await expectWhole(
    own,
    ["fine-tuning", "guidance", "DINO"],
    [
      ["none", "cfg"],
      ["none", "none"],
    ],
  );
  expect(results.arms[0]!.prompts.map(({ concept, prompt }) => [concept, prompt])).toEqual([
    ["2-dog.png", "make the 2-dog blue"],
    ["3-clock.png", "make the 3-clock blue"],
  ]);
  const instructions = ["add snow", "at night"];
  const given = parseExperiment({ ...asked, name: "given", edits: { images: photos, instructions } });
  const out = join(folder, "edits");
  const four = await runExperiment(given, { folder: out, device: "cpu" });
  expect(four.arms[0]!.prompts.map(({ prompt }) => prompt)).toEqual([...instructions, ...instructions]);

  await rm(join(photos, "3-clock.txt"));
  await expect(runExperiment(own, { folder: out, device: "cpu" })).rejects.toThrow(
    refusal("text-missing", "3-clock.png"),
  );
});
