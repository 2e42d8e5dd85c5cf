import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { refusal } from "../../test/refusal.ts";
import { parseExperiment } from "./experiment.ts";
import { forecastOf } from "./forecast.ts";
import type { Forecast } from "./networks.ts";
import { runExperiment } from "./run-experiment.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-forecast-"));
});
afterAll(() => rm(folder, { recursive: true }));

const concept = (name: string) => ({ name, images: join(folder, name), class: "dog", live: true });

test("every missing folder is named at once", async () => {
  await mkdir(join(folder, "here"));
  const experiment = parseExperiment({
    name: "x",
    model: join(folder, "model"),
    personalisation: [{ method: "dreambooth" }],
    guidance: [{ method: "cfg" }],
    concepts: [concept("here"), concept("one"), concept("two")],
    encoders: { clip: join(folder, "clip"), dino: "facebook/dino-vits16" },
  });
  const missing = ["model", "clip", "one", "two"].map((name) => join(folder, name));
  await expect(forecastOf(experiment, { folder: join(folder, "out") })).rejects.toThrow(
    refusal("experiment-files-missing", ...missing),
  );
});

test("adapters, class images and pictures are counted, and seconds and bytes come from steps drawn here", async () => {
  const experiment = parseExperiment({
    name: "x",
    personalisation: [
      { method: "dreambooth", steps: 20, priorCount: 3 },
      { method: "dreambooth", steps: 20, priorCount: 3, rank: 8 },
    ],
    guidance: [{ method: "cfg" }, { method: "pg", omega: [0, 0.6] }],
    concepts: ["brown_dog", "red_teapot"],
    prompts: 2,
    pictures: 5,
  });
  const forecast = await forecastOf(experiment, { folder: join(folder, "out"), device: "cpu" });
  // Both adapters of a class share its images.
  expect(forecast).toMatchObject({ adapters: 4, classPictures: 6, pictures: 2 * 2 * 3 * 2 * 5 });
  expect(forecast.seconds).toBeGreaterThan(0);
  // Between a hundredth and once the pictures without compression.
  expect(forecast.bytes / (126 * 128 * 128 * 3)).toBeGreaterThan(0.01);
  expect(forecast.bytes / (126 * 128 * 128 * 3)).toBeLessThan(1);
});

test("a run says what is missing first, and what it did is not missing again, in its number type", async () => {
  const experiment = parseExperiment({
    name: "x",
    personalisation: [{ method: "dreambooth", steps: 1, prior: false }],
    guidance: [{ method: "cfg" }],
    concepts: ["red_teapot"],
    prompts: 1,
    pictures: 1,
    steps: 1,
  });
  const told: Forecast[] = [];
  const options = { folder: join(folder, "int8"), device: "cpu", precision: "int8" } as const;
  await runExperiment(experiment, { ...options, onForecast: (forecast) => told.push(forecast) });
  expect(told).toMatchObject([{ adapters: 1, pictures: 1 }]);
  expect(await forecastOf(experiment, options)).toMatchObject({ adapters: 0, pictures: 0, seconds: 0 });
  expect(await forecastOf(experiment, { ...options, precision: "float32" })).toMatchObject({
    adapters: 0,
    pictures: 1,
  });
});
