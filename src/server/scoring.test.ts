/** Scoring a job's pictures; the encoders are replaced by a count of the pictures in memory. */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { openDataFolder } from "./data-folder.ts";
import { type Job, picturesSchema } from "./jobs.ts";
import { modelsOf } from "./models.ts";
import { scoringIn } from "./scoring.ts";

const held = vi.hoisted(() => ({ now: 0, most: 0, measured: [] as string[], texts: [] as string[] }));

vi.mock("../index.ts", async (original) => ({
  ...(await original<typeof import("../index.ts")>()),
  openScorer: async () => ({
    async score(file: string, _: string, text: string) {
      held.texts.push(text);
      held.most = Math.max(held.most, ++held.now);
      await setImmediate();
      held.now--;
      return { dino: held.measured.push(file), clipI: 0, clipT: 0 };
    },
    close: async () => {},
  }),
}));

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
});
afterAll(() => rm(folder, { recursive: true }));

test("pictures are measured one at a time, in order, and each once", async () => {
  const data = await openDataFolder(folder);
  await mkdir(data.upload("cat"));
  const pictures = ["a-0", "a-1", "a-2"];
  const request = picturesSchema.parse({ request: { prompt: "a cat" } });
  const job: Job = { id: "a", state: "done", request, created: 0, pictures, warnings: [], starts: 1 };
  const scoring = scoringIn(data, modelsOf([]), {});
  const all = await scoring.scores(job, "cat", "");
  expect(all.map(({ dino }) => dino)).toEqual([1, 2, 3]);
  expect(await scoring.scores(job, "cat", "")).toEqual(all);
  expect(held.measured).toEqual(pictures.map(data.picture));
  expect(held.most).toBe(1);
});

test.each([
  ["a sks cat, in the snow", "sks", "a cat, in the snow"],
  ["in the snow, sks.", "sks", "in the snow,."],
  ["a <cat>, asleep", "<cat>", "a, asleep"],
  ["a sksy cat", "sks", "a sksy cat"],
  ["a sks cat", "", "a sks cat"],
])("the text %j is measured without %j as tiller eval does", async (prompt, token, text) => {
  const data = await openDataFolder(await mkdtemp(join(folder, "data-")));
  await mkdir(data.upload("cat"));
  const request = picturesSchema.parse({ request: { prompt } });
  const job: Job = { id: "b", state: "done", request, created: 0, pictures: ["b-0"], warnings: [], starts: 1 };
  await scoringIn(data, modelsOf([]), {}).scores(job, "cat", token);
  expect(held.texts.at(-1)).toBe(text);
});
