/** Each of the paper's experiments, whole, on a small model in place of the one it names: every row, every cell, the report. */
import { readdirSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { armsOf, type GivenExperiment, readExperiment } from "../src/experiments/experiment.ts";
import { runExperiment, writeReport } from "../src/experiments/index.ts";
import { paperBaseOf } from "../src/experiments/published.ts";
import { resultsTable } from "../src/experiments/table.ts";
import { fixture } from "./fixtures.ts";

const experiments = fileURLToPath(new URL("../experiments/", import.meta.url));
const given = await Promise.all(
  readdirSync(experiments)
    .filter((file) => !/(findings|study)\.json$/.test(file))
    .map((file) => readExperiment(join(experiments, file))),
);
const paper = given.filter(({ model }) => paperBaseOf(model) !== undefined);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-paper-"));
  await mkdir(join(folder, "images"));
  const picture = sharp({ create: { width: 64, height: 64, channels: 3, background: "teal" } });
  await picture.toFile(join(folder, "images", "one.png"));
});
afterAll(() => rm(folder, { recursive: true }));

/** One concept, prompt and picture, two sampling steps, and as many training steps as the method's place in the list. */
const small = (experiment: GivenExperiment): GivenExperiment => ({
  ...experiment,
  model: paperBaseOf(experiment.model) === "SANA" ? fixture("sana-pipeline/model") : fixture("pipelines/sd15"),
  personalisation: experiment.personalisation.map((one, i) =>
    "recipe" in one ? { ...one, steps: i + 1, priorCount: 1 } : one,
  ),
  concepts: [{ name: "dog", images: join(folder, "images"), class: "dog", live: true }],
  prompts: 1,
  pictures: 1,
  steps: 2,
  encoders: undefined,
});

test("there are fourteen or more of them, on the paper's three base models", () => {
  expect(paper.length).toBeGreaterThanOrEqual(14);
  expect(new Set(paper.map(({ model }) => paperBaseOf(model)))).toEqual(new Set(["SD 1.5", "SD 2.1", "SANA"]));
});

/** SD 2.1's files that say the same of another base are run once. */
const distinct = [
  ...new Map(
    paper.map((one) => [JSON.stringify({ ...one, name: "", model: paperBaseOf(one.model) === "SANA" }), one]),
  ).values(),
];

test.each(distinct.map((one) => [one.name, one] as const))(
  "%s runs whole, and its report shows every row",
  async (name, one) => {
    const out = join(folder, name);
    const results = await runExperiment(small(one), { folder: out, device: "cpu" });
    expect(results.arms).toHaveLength(armsOf(results.experiment).length * one.personalisation.length);
    expect(results.units.done).toBe(results.units.total);
    for (const { scores } of results.arms)
      for (const { mean } of Object.values(scores)) expect(mean).toBeTypeOf("number");
    const report = await writeReport(results, out, { title: name, lead: "", commands: [] });
    const page = await readFile(report, "utf8");
    for (const [, guidance] of resultsTable(results).rows) expect(page).toContain(guidance!.text);
  },
  120_000,
);
