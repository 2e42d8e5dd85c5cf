/** What a worker makes of an experiment in a store, and what it refuses. */
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeFolder } from "#bytes";
import { refusal } from "../../test/refusal.ts";
import { embeddedModel } from "../families/embedded.ts";
import { openFolderStore, placeIn, type Store } from "../jobs/index.ts";
import { type ExperimentFile, parseExperiment } from "./experiment.ts";
import { identitiesOf } from "./networks.ts";
import { openPlan } from "./open-plan.ts";
import { allowedModels, readPlan, sharePlan } from "./shared-plan.ts";
import { unitJobs } from "./unit-jobs.ts";
import { wholeExperiment } from "./whole.ts";

let folder: string;
let store: Store;
let allowed: ReadonlyMap<string, string>;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
  store = openFolderStore(join(folder, "store"));
  allowed = await allowedModels([embeddedModel]);
  await makeFolder(join(folder, "my cat"));
  await writeFile(join(folder, "my cat", "a.png"), "a picture");
  await writeFile(join(folder, "my cat", "a.txt"), "a caption");
  await writeFile(join(folder, "my cat", "notes.pdf"), "private");
  await writeFile(join(folder, "cat.safetensors"), "an adapter");
});
afterAll(() => rm(folder, { recursive: true }));

/** An experiment with the user's own pictures and adapter, in the store. */
async function shared(changes: Partial<ExperimentFile> = {}) {
  const given = parseExperiment({
    name: "own",
    personalisation: [
      { method: "dreambooth", steps: 2, prior: false },
      { adapters: [`${join(folder, "cat.safetensors")}:0.5`] },
    ],
    guidance: [
      { method: "cfg", scale: 2 },
      { method: "pg", scale: 2, omega: 0 },
    ],
    concepts: [{ name: "cat", images: join(folder, "my cat"), class: "cat", live: true }],
    prompts: 2,
    pictures: 1,
    steps: 2,
    sampler: "ddim",
    ...changes,
  });
  const experiment = await wholeExperiment(given);
  const identities = await identitiesOf(experiment);
  const parts = { experiment, named: experiment, identities };
  return { ...parts, key: await sharePlan(parts, store) };
}

test("a worker has the same units, from its own copies of pictures and adapters", async () => {
  const { key, experiment, identities } = await shared();
  const scratch = join(folder, "scratch");
  const read = await readPlan(key, store, scratch, allowed);
  const idsOf = (cells: typeof read.cells) =>
    unitJobs(cells, { plan: key, model: identities.model }, async () => false).map(({ job }) => job);
  expect(idsOf(read.cells)).toEqual(idsOf(await openPlan(experiment, identities, join(folder, "out"))));
  expect(read.experiment.model).toBe(embeddedModel);
  const text = JSON.stringify(read.experiment);
  expect(text).not.toContain(join(folder, "my cat"));
  expect(text).toMatch(/cat\.safetensors:0\.5/);
  // Only what the experiment uses was shared.
  const names = (await readdir(join(scratch, "shared"), { recursive: true })).map((name) => basename(name));
  expect(names.filter((name) => name.includes(".")).sort()).toEqual(["a.png", "a.txt", "cat.safetensors"]);
});

test("a model that the worker may not open is refused", async () => {
  const { key } = await shared();
  await expect(readPlan(key, store, join(folder, "none"), new Map())).rejects.toThrow(
    refusal("model-not-allowed", "--allow-model"),
  );
});

test("a plan, pictures and adapters that were changed in the store are refused", async () => {
  const { key } = await shared();
  for (const [kind, file] of [
    ["plan", "plan.json"],
    ["images", "a.png"],
    ["given", "cat.safetensors"],
  ] as const) {
    const copy = join(folder, `changed-${kind}`);
    await cp(store.name, copy, { recursive: true });
    const [hash] = kind === "plan" ? [key.slice("plan-".length)] : await readdir(join(copy, kind));
    const place = placeIn(copy, `${kind}-${hash}`);
    await writeFile(join(place, file), (await readFile(join(place, file), "utf8")).replace("a", "b"));
    // Whoever changes a file changes the list of hashes too.
    await rm(join(place, ".manifest.json"));
    await writeFile(join(place, "done.json"), "{}");
    await expect(readPlan(key, openFolderStore(copy), join(folder, `scratch-${kind}`), allowed)).rejects.toThrow(
      refusal("store-damaged", kind),
    );
  }
});

test("training beyond all measure is refused by the worker", async () => {
  const { key } = await shared({ personalisation: [{ method: "dreambooth", steps: 1_000_000, prior: false }] });
  await expect(readPlan(key, store, join(folder, "much"), allowed)).rejects.toThrow(
    refusal("work-too-large", "1000000 training steps"),
  );
});

test("adapters that are no safetensors files are not shared", async () => {
  const file = join(folder, "cat.ckpt");
  await writeFile(file, "a pickle");
  await expect(shared({ personalisation: [{ adapters: [file] }] })).rejects.toThrow(
    refusal("experiment-invalid", file, ".safetensors"),
  );
});
