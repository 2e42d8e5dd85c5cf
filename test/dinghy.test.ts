/** The embedded model, and experiments, measuring and tuning with it. */
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { drawReferences, embeddedConcept } from "../src/experiments/concepts.ts";
import {
  type ExperimentFile,
  gatherResults,
  parseExperiment,
  type Results,
  readExperiment,
  runExperiment,
  tune,
  writeReport,
  writeSheet,
} from "../src/experiments/index.ts";
import { embeddedFolder } from "../src/families/embedded.ts";
import { evaluate, type Pace, Pipeline } from "../src/index.ts";
import { refused, tiller } from "./fake-world.ts";
import { refusal } from "./refusal.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
});
afterAll(() => rm(folder, { recursive: true }));

test("the embedded model is at most 40 MB", async () => {
  let bytes = 0;
  for (const entry of await readdir(embeddedFolder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).size;
  }
  expect(bytes).toBeLessThan(40e6);
});

test("the default model follows the prompt: a beach is lighter than the night sky of the Moon", async () => {
  const pipeline = await Pipeline.load("dinghy", { device: "cpu" });
  const brightness: number[] = [];
  try {
    for (const place of ["on the beach", "with a landscape from the Moon"]) {
      for await (const event of pipeline.generate({ prompt: `a dog ${place}`, steps: 10, count: 2, scale: 3 })) {
        if (event.type !== "picture") continue;
        expect([event.width, event.height]).toEqual([128, 128]);
        brightness.push(event.data.reduce((a, b) => a + b, 0) / event.data.length);
      }
    }
  } finally {
    await pipeline.close();
  }
  expect(Math.min(brightness[0]!, brightness[1]!)).toBeGreaterThan(Math.max(brightness[2]!, brightness[3]!));
});

test("a concept's pictures are more similar to each other than to another concept's of its kind", async () => {
  const [dog, other] = [join(folder, "brown_dog"), join(folder, "fat_dog")];
  await drawReferences(embeddedConcept("brown_dog"), dog);
  await drawReferences(embeddedConcept("fat_dog"), other);
  const measure = (images: string) => evaluate({ images, references: dog, prompt: "a dog" });
  const [own, strange] = [await measure(dog), await measure(other)];
  expect(own.scores.dino!).toBeGreaterThan(strange.scores.dino!);
  expect(own.pictures).toHaveLength(5);
});

test("a text too long for CLIP is truncated, and a warning quotes the rest", async () => {
  const dog = join(folder, "long");
  await drawReferences(embeddedConcept("brown_dog"), dog);
  const prompt = `${"very ".repeat(90)}dog`;
  const { stderr } = await tiller(["eval", "--images", dog, "--references", dog, "--prompt", prompt]);
  expect(stderr).toMatch(/warning: a prompt is too long for the text encoder; cut off: "very .*dog"/);
});

const small = {
  name: "small",
  personalisation: [{ recipe: "dreambooth", steps: 2, prior: false }],
  guidance: [{ method: "cfg" }, { method: "pg", omega: [0, 0.6] }],
  compare: [["pg 0", "pg 0.6"]],
  concepts: ["red_teapot"],
  prompts: ["snow", "jungle"],
  pictures: 2,
  steps: 2,
} satisfies ExperimentFile;

/** However many units and rounds there are, one count goes from its beginning to its end. */
function expectOneTotal(paces: readonly Pace[]): void {
  expect(new Set(paces.map(({ total }) => total)).size).toBe(1);
  const done = paces.map((pace) => pace.done);
  expect(done).toEqual(done.toSorted((a, b) => a - b));
  expect(done.at(-1)).toBeLessThanOrEqual(paces[0]!.total);
}

/** The adapters that an experiment trained. */
const adaptersIn = async (work: string): Promise<string[]> =>
  (await readdir(join(work, "adapters"))).map((name) => join(work, "adapters", name, "adapter.safetensors"));

describe("an experiment", () => {
  const work = () => join(folder, "experiment");

  test("trains, draws and measures; its page and sheet are self-contained", async () => {
    const seen: number[] = [];
    const paces: Pace[] = [];
    const results = await runExperiment(parseExperiment(small), { folder: work() }, ({ done, pace }) => {
      seen.push(done);
      paces.push(pace);
    });
    expectOneTotal(paces);
    // Two steps of training, and of each of six units two pictures of two steps.
    expect(paces.at(-1)).toMatchObject({ done: 2 + 6 * 2 * 2, total: 2 + 6 * 2 * 2 });
    expect(results.units).toEqual({ done: 7, total: 7 });
    expect(results.arms.map(({ name, pictures, rows }) => [name, pictures, rows])).toEqual([
      ["cfg", 4, 2],
      ["pg 0", 4, 2],
      ["pg 0.6", 4, 2],
    ]);
    for (const { scores } of results.arms) {
      for (const { mean, low, high } of Object.values(scores)) {
        expect(low).toBeLessThanOrEqual(mean);
        expect(mean).toBeLessThanOrEqual(high);
      }
    }
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    // The requested rows are compared, on the same pictures.
    const [none, zero, some] = results.arms;
    expect(none?.overCfg).toBeUndefined();
    const lead = zero!.scores.dino!.mean - some!.scores.dino!.mean;
    expect(results.pairs).toMatchObject([{ name: "pg 0", over: "pg 0.6", personalisation: "dreambooth" }]);
    expect(results.pairs![0]!.differences.dino!.mean).toBeCloseTo(lead, 12);
    const over = zero!.overCfg!.dino!.mean - some!.overCfg!.dino!.mean;
    expect(over).toBeCloseTo(lead, 12);
    const page = await readFile(await writeReport(results, work(), { title: "T", lead: "L", commands: ["c"] }), "utf8");
    expect(page).not.toMatch(/(src|href)="(?!data:)/);
    // The numbers equal those of results.json.
    const json = JSON.parse(await readFile(join(work(), "results.json"), "utf8"));
    expect(page).toContain(Math.abs(json.pairs[0].differences.clipT.mean).toFixed(3));
    for (const { scores } of json.arms) expect(page).toContain(scores.dino!.mean.toFixed(3));
    expect((await stat(await writeSheet(results, work(), "T"))).size).toBeGreaterThan(1000);
  });

  test("does nothing when repeated; stopped and resumed, it gives the same results", async () => {
    const before = await readFile(join(work(), "results.json"), "utf8");
    const units = (await readdir(join(work(), "pictures"))).map((name) => join(work(), "pictures", name, "done.json"));
    const times = async () => Promise.all(units.map(async (file) => (await stat(file)).mtimeMs));
    const made = await times();
    await runExperiment(parseExperiment(small), { folder: work() });
    expect(await times()).toEqual(made);

    const other = join(folder, "stopped");
    for (const stopAt of [2, 4]) {
      const stop = new AbortController();
      const run = runExperiment(parseExperiment(small), { folder: other, signal: stop.signal }, ({ done }) => {
        if (done >= stopAt) stop.abort(new Error("stopped"));
      });
      await expect(run).rejects.toThrow("stopped");
    }
    await runExperiment(parseExperiment(small), { folder: other });
    const scores = (text: string) => JSON.parse(text).arms.map((arm: { scores: unknown }) => arm.scores);
    expect(scores(await readFile(join(other, "results.json"), "utf8"))).toEqual(scores(before));
  });

  test("does the other concepts if one fails, and names that", async () => {
    const broken = join(folder, "broken");
    await mkdir(broken);
    await writeFile(join(broken, "0.png"), "no picture");
    const concepts = [{ name: "broken_cat", images: broken, class: "cat", live: true }, "red_teapot"];
    const guidance = [{ method: "cfg" as const }];
    const experiment = parseExperiment({ ...small, concepts, guidance, compare: [], prompts: ["snow"], pictures: 1 });
    const out = join(folder, "failing");
    await expect(runExperiment(experiment, { folder: out })).rejects.toThrow(
      refusal("experiment-incomplete", "broken_cat", join(broken, "0.png")),
    );
    const done = (await readdir(out, { recursive: true })).filter((file) => file.endsWith("done.json"));
    expect(done).toHaveLength(2);
  });

  test("keeps its results if its units are gone, unless another experiment takes its folder", async () => {
    const moved = join(folder, "moved");
    await mkdir(moved);
    const before = await readFile(join(work(), "results.json"), "utf8");
    await writeFile(join(moved, "results.json"), before);
    const experiment = parseExperiment(small);
    expect(await gatherResults(experiment, moved)).toEqual(JSON.parse(before));
    expect((await gatherResults({ ...experiment, steps: 3 }, moved)).units.done).toBe(0);
  });

  test("in int8 keeps the adapters, draws again, and reports the number type", async () => {
    const units = async (kind: string) => (await readdir(join(work(), kind))).length;
    const before = [await units("adapters"), await units("pictures")];
    const results = await runExperiment(parseExperiment(small), { folder: work(), device: "cpu", precision: "int8" });
    expect(results.units).toEqual({ done: 7, total: 7 });
    expect([await units("adapters"), await units("pictures")]).toEqual([before[0], 2 * before[1]!]);
    expect(results.experiment.computed).toEqual({ engine: "onnxruntime", precision: "int8" });
    const page = await readFile(await writeReport(results, work(), { title: "T", lead: "L", commands: [] }), "utf8");
    expect(page).toContain("by ONNX Runtime in int8");
    // The folder's own table finds them.
    const kept = await readExperiment(join(work(), "experiment.json"));
    expect((await gatherResults(kept, work())).arms).toEqual(results.arms);
    // The earlier ones are still found.
    await runExperiment(parseExperiment(small), { folder: work() }, ({ detail }) => expect(detail).toBe(""));
  });

  test("is stored with absolute paths, and an adapter's with its strength", async () => {
    const adapter = relative(".", (await adaptersIn(work()))[0]!);
    const given = { ...small, personalisation: [{ adapters: [`${adapter}:0.8`] }], pictures: 1, prompts: ["snow"] };
    const out = join(folder, "given");
    await runExperiment(parseExperiment(given), { folder: out });
    const kept = await readExperiment(join(out, "experiment.json"));
    expect(kept.personalisation).toEqual([{ adapters: [`${resolve(adapter)}:0.8`] }]);
  });

  test("is run by one call at a time in a folder", async () => {
    const shared = join(folder, "shared");
    const first = runExperiment(parseExperiment(small), { folder: shared });
    await expect(runExperiment(parseExperiment(small), { folder: shared })).rejects.toThrow(
      refusal("folder-in-use", "--workers"),
    );
    expect((await first).units).toEqual({ done: 7, total: 7 });
  });

  test("shared by two processes gives the same pictures, byte for byte, and the same scores", async () => {
    const forked = join(folder, "forked");
    const results = await runExperiment(parseExperiment(small), { folder: forked, workers: 2 });
    const alone = JSON.parse(await readFile(join(work(), "results.json"), "utf8"));
    // Another number type was drawn in between.
    const scores = (arms: Results["arms"]) => arms.map(({ name, prompts }) => [name, prompts]);
    const own = await runExperiment(parseExperiment(small), { folder: work() });
    expect(scores(results.arms)).toEqual(scores(own.arms));
    expect(alone.units).toEqual(results.units);
    for (const { folder: unit, seeds } of results.arms.flatMap(({ prompts }) => prompts))
      for (const seed of seeds) {
        const [ours, theirs] = [forked, work()].map((root) => readFile(join(root, unit, `${seed}.png`)));
        expect(await ours).toEqual(await theirs);
      }
  });
});

test("tuning compares omegas within its budget, keeps its pictures and charts the table's numbers", async () => {
  const images = join(folder, "teapot");
  await drawReferences(embeddedConcept("red_teapot"), images);
  const [adapter] = await adaptersIn(join(folder, "experiment"));
  const work = join(folder, "tune");
  const request = {
    model: "dinghy",
    adapters: [adapter!],
    images,
    token: "sks",
    class: "teapot",
    live: false,
    budget: 60,
    scales: [5],
    floor: 0.9,
    steps: 2,
  };
  const paces: Pace[] = [];
  const tuned = await tune(request, { folder: work }, ({ pace }) => paces.push(pace));
  expectOneTotal(paces);
  expect(tuned.tried.map(({ omega, scale }) => [omega, scale])).toEqual([0, 0.2, 0.4, 0.6, 0.8].map((w) => [w, 5]));
  for (const { prompts } of tuned.tried) expect(prompts).toBeGreaterThanOrEqual(8);
  expect(tuned.pictures).toBeLessThanOrEqual(60);
  // A dot for each number, and a line for its interval.
  const chart = await readFile(tuned.chart, "utf8");
  expect(chart.match(/<circle/g)).toHaveLength(2 * tuned.tried.length);
  const drawn = async () =>
    (await readdir(join(work, "pictures"), { recursive: true })).filter((f) => f.endsWith(".png"));
  expect((await drawn()).length).toBe(tuned.pictures);
  await tune(request, { folder: work });
  expect((await drawn()).length).toBe(tuned.pictures);
  // With a floor of 1, no omega that loses any text fidelity is proposed.
  const strict = await tune({ ...request, floor: 1 }, { folder: work });
  expect(strict.best?.clipT.mean ?? 0).toBeGreaterThanOrEqual(0);
  await expect(tune({ ...request, budget: 10 }, { folder: work })).rejects.toThrow(refusal("budget-too-small", "10"));
  await expect(tune({ ...request, floor: 98 }, { folder: work })).rejects.toThrow(
    refusal("option-invalid", "--floor 98"),
  );
});

test("on the command line, eval names missing options and bench refuses a folder without results", async () => {
  const outcome = async (...argv: string[]) => {
    const { code, error } = await refused(argv);
    return [code, error];
  };
  expect(await outcome("eval", "--images", folder)).toEqual([2, refusal("option-missing", "--references")]);
  expect(await outcome("bench", "table", folder)).toEqual([1, refusal("experiment-missing", folder)]);
  expect(await outcome("demo", "no_such")).toEqual([2, refusal("concept-unknown", "no_such", "brown_dog")]);
});
