/** Which checkpoints a run resumes from. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { refusal } from "../../../test/refusal.ts";
import { writeSafetensors } from "../../bytes/safetensors.ts";
import { newAdamWState } from "../optimise/adamw.ts";
import { type Identity, readCheckpoint, writeCheckpoint } from "./checkpoint.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-checkpoint-"));
});
afterEach(() => rm(folder, { recursive: true }));

const contents = { pictureContents: "1a", classPictureContents: "2b" };

/** The step that a run resumes from, with the identity `before` in its checkpoint. */
async function resumed(before: Identity, now: Identity): Promise<number> {
  const file = join(folder, "checkpoint.safetensors");
  const data = Float32Array.of(1);
  const [values, flat] = [new Map([["a", { shape: [1], data }]]), new Map([["a", data]])];
  await writeCheckpoint(file, values, { ...newAdamWState(flat), steps: 5 }, before);
  const state = newAdamWState(flat);
  await readCheckpoint(file, values, state, now);
  return state.steps;
}

test("one with the same settings and pictures", async () => {
  expect(await resumed({ rank: 4, ...contents }, { rank: 4, ...contents })).toBe(5);
});

test("none with other settings", async () => {
  await expect(resumed({ rank: 4 }, { rank: 8 })).rejects.toThrow(refusal("resume-mismatch", "rank", "4", "8"));
});

test("none of another model, whose path is among the error's paths", async () => {
  const [before, now] = [join(folder, "one", "model"), join(folder, "other", "model")];
  await expect(resumed({ model: before }, { model: now })).rejects.toMatchObject({
    code: "resume-mismatch",
    paths: [before, now],
  });
});

test.each([
  [{ ...contents, pictureContents: "3c" }, "other pictures"],
  [{ ...contents, classPictureContents: "3c" }, "class images"],
  [{ ...contents, classPictureContents: undefined }, "class images"],
])("none of other pictures: %j", async (now, words) => {
  await expect(resumed(contents, now)).rejects.toThrow(refusal("resume-mismatch", words));
});

test.each([
  ["no settings", { step: "5" }, [1]],
  ["damaged settings", { step: "5", identity: "{" }, [1]],
  ["no step", { identity: "{}" }, [1]],
  ["tensors of another shape", { step: "5", identity: "{}" }, [1, 2]],
])("none with %s", async (_, metadata, numbers) => {
  const file = join(folder, "checkpoint.safetensors");
  const stored = new Uint8Array(Float32Array.from(numbers).buffer);
  const tensors = ["value", "mean", "square"].map((part) => ({
    name: `${part} a`,
    dtype: "float32" as const,
    shape: [numbers.length],
    data: stored,
  }));
  await writeSafetensors(file, tensors, metadata as Record<string, string>);
  const data = Float32Array.of(0);
  const reading = readCheckpoint(
    file,
    new Map([["a", { shape: [1], data }]]),
    newAdamWState(new Map([["a", data]])),
    {},
  );
  await expect(reading).rejects.toThrow(refusal("checkpoint-invalid", file));
});

test("an old one that identifies pictures by their names only", async () => {
  expect(await resumed({ rank: 4 }, { rank: 4, ...contents })).toBe(5);
});

test("an old one whose names lack the component", async () => {
  const file = join(folder, "checkpoint.safetensors");
  const old = Float32Array.of(7);
  await writeCheckpoint(
    file,
    new Map([["mid.down", { shape: [1], data: old }]]),
    newAdamWState(new Map([["mid.down", old]])),
    {},
  );
  const data = Float32Array.of(0);
  const now = new Map([["unet:mid.down", { shape: [1], data }]]);
  await readCheckpoint(file, now, newAdamWState(new Map([["unet:mid.down", data]])), {});
  expect(data[0]).toBe(7);
});
