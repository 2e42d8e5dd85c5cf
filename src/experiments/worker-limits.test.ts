import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { refusal } from "../../test/refusal.ts";
import { type Experiment, type ExperimentFile, parseExperiment } from "./experiment.ts";
import { refuseExcess, refuseExcessFiles, workerLimits } from "./worker-limits.ts";

const experiment = (changes: Partial<ExperimentFile>): Experiment => ({
  ...parseExperiment({
    name: "much",
    guidance: [{ method: "cfg", scale: 2 }],
    concepts: ["red_teapot"],
    prompts: ["snow"],
    pictures: 1,
    ...changes,
  }),
  steps: changes.steps ?? 1,
  sampler: "ddim",
  computed: { engine: "onnxruntime", precision: "float32" },
});
const training = (settings: object): Experiment =>
  experiment({ personalisation: [{ method: "dreambooth", steps: 2, ...settings }] });
const many = (count: number) => Array.from({ length: count }, (_, i) => 1 + i / count);

test.each([
  ["training steps", training({ steps: 1e6 }), "1000000 training steps"],
  ["rows", training({ batch: 16, accumulate: 16 }), "256 pictures"],
  ["rank", training({ rank: 5000 }), "5000 as the rank"],
  ["pixels", training({ resolution: 8192 }), "8192 pixels"],
  ["class images", training({ priorCount: 20_000 }), "20000 class images"],
  ["steps", experiment({ pictures: 10_000, steps: 1000 }), "10000000 steps"],
  ["units", experiment({ guidance: [{ method: "cfg", scale: many(5000) }], concepts: "all", prompts: "all" }), "units"],
])("more %s than a worker does for others are refused", (_, asked, fact) => {
  expect(() => refuseExcess(asked)).toThrow(refusal("work-too-large", fact));
});

test("the largest experiments in the repository are allowed", () => {
  refuseExcess(training({ steps: workerLimits.training, rank: 128, resolution: 1024 }));
  refuseExcess(experiment({ concepts: "all", prompts: "all", pictures: 1000, steps: 1000 }));
});

test("prompts of a file count, too", async () => {
  const folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
  const file = join(folder, "prompts.txt");
  await writeFile(file, many(2000).join("\n"));
  const asked = experiment({
    metrics: ["clipT"],
    concepts: "none",
    prompts: { file },
    guidance: [{ method: "cfg", scale: many(1000) }],
  });
  refuseExcess(asked);
  await expect(refuseExcessFiles(asked)).rejects.toThrow(refusal("work-too-large", "units"));
  await rm(folder, { recursive: true });
});
