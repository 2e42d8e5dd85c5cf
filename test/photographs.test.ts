/** Photographs are distinguished from drawn pictures, and their requirements are reported before any work. */
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeWhole } from "../src/bytes/write-whole.ts";
import { drawReferences, embeddedConcept } from "../src/experiments/concepts.ts";
import { Pipeline, type TrainingEvent, type TrainingRequest } from "../src/index.ts";
import { refusePhotographs } from "../src/internal.ts";
import { encodePng } from "../src/recipe/png.ts";
import { type Studio, startStudio } from "../src/server/index.ts";
import { arePhotographs, patchError } from "../src/training/data/photographs.ts";
import { tiller } from "./fake-world.ts";
import { photograph } from "./photograph.ts";
import { refusal } from "./refusal.ts";

let folder: string;
const [drawn, seen] = [() => join(folder, "drawn"), () => join(folder, "seen")];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
  await drawReferences(embeddedConcept("black_cat"), drawn());
  await mkdir(seen());
  for (let i = 0; i < 3; i++) await photograph(i, join(seen(), `${i}.jpg`));
});
afterAll(() => rm(folder, { recursive: true }));

describe("photographs are distinguished", () => {
  test("from pictures of the drawn world, even as a small JPEG", async () => {
    expect(await arePhotographs(seen())).toBe(true);
    expect(await arePhotographs(drawn())).toBe(false);
    const small = join(folder, "small");
    await mkdir(small);
    for (const i of [0, 1, 2]) {
      await sharp(join(drawn(), `${i}.png`))
        .resize(96)
        .jpeg({ quality: 60 })
        .toFile(join(small, `${i}.jpg`));
    }
    expect(await arePhotographs(small)).toBe(false);
  });

  test("from dinghy's own pictures", async () => {
    const own = join(folder, "own");
    await mkdir(own);
    const pipeline = await Pipeline.load("dinghy", { device: "cpu" });
    for await (const event of pipeline.generate({ prompt: "a teapot in the jungle", count: 3 })) {
      if (event.type === "picture") await writeWhole(join(own, `${event.index}.png`), await encodePng(event));
    }
    await pipeline.close();
    expect(await arePhotographs(own)).toBe(false);
  });

  test("by the majority of a folder's pictures", async () => {
    const mixed = join(folder, "mixed");
    await drawReferences({ ...embeddedConcept("black_cat"), references: 2 }, mixed);
    await photograph(7, join(mixed, "a.jpg"));
    expect(await arePhotographs(mixed)).toBe(false);
  });
});

test("fine differences do not count, broad ones do", () => {
  const grey = new Uint8Array(16 * 16 * 3).fill(100);
  const noisy = grey.map((value, i) => value + (Math.floor(i / 3) % 2 === 0 ? 20 : -20));
  expect(patchError(grey, noisy, 16)).toBe(0);
  expect(
    patchError(
      grey,
      grey.map((value) => value + 7),
      16,
    ),
  ).toBe(7);
  // One of four patches.
  const corner = grey.map((value, i) => value + (Math.floor(i / 3) % 16 < 8 && i < 16 * 8 * 3 ? 10 : 0));
  expect(patchError(grey, corner, 16)).toBe(5);
});

describe("the requirements of photographs", () => {
  const advice = { pictures: "These pictures", instead: "name another model", insist: "name dinghy" };
  const asked = { token: "sks", class: "cat", out: "cat.safetensors" };
  const needs = (machine: { cores: number; memory: number }, more: object = {}) =>
    refusePhotographs("dreambooth", { ...asked, images: seen(), ...more }, machine, advice);
  const machine = { cores: 2, memory: 16 * 2 ** 30 };

  test("include the other model's size, memory and time, and how to insist", async () => {
    // 500 steps of two rows at 12.4 s, and 100 pictures of 20 steps at 9 s, on the two cores these were measured on.
    const hours = (500 * 2 * 6.7 + 100 * 20 * 4.5) / 3600;
    const facts = ["4.3 GB", "10.4 GiB", "16 GiB", `${Number(hours.toPrecision(2))} hours`, "2 cores", "name dinghy"];
    await expect(needs(machine)).rejects.toEqual(refusal("photographs-on-dinghy", ...facts));
  });

  test("include less time with more cores or less work, and exceed a small machine's memory", async () => {
    const some = needs({ cores: 8, memory: 4 * 2 ** 30 }, { steps: 100, prior: false });
    const minutes = Math.round((100 * 6.7) / 4 / 60);
    await expect(some).rejects.toEqual(refusal("photographs-on-dinghy", "4 GiB", `${minutes} minutes`, "8 cores"));
  });

  test("do not apply to drawn pictures", async () => {
    await refusePhotographs("dreambooth", { ...asked, images: drawn() }, machine, advice);
  });
});

describe("tiller train", () => {
  const cat = ["train", "dreambooth", "--token", "sks", "--class", "cat"];
  const learnt = async (images: string, ...more: string[]) => {
    const models: string[] = [];
    async function* train(_: string, { model }: TrainingRequest): AsyncGenerator<TrainingEvent, void, undefined> {
      models.push(model);
      yield { type: "saved", step: 1, folder: "cat.run", adapters: ["cat.safetensors"], copies: [] };
    }
    return { ...(await tiller([...cat, "--images", images, "--json", ...more], { train })), models };
  };

  test("without --model refuses photographs before training, naming a model and how to insist", async () => {
    const { code, json, models } = await learnt(seen());
    expect([code, models]).toEqual([2, []]);
    expect(json().error).toEqual(
      refusal("photographs-on-dinghy", "--model stable-diffusion-v1-5/stable-diffusion-v1-5", "--model dinghy", seen()),
    );
  });

  test("trains on them if dinghy is named, and on drawn pictures without", async () => {
    expect(await learnt(seen(), "--model", "dinghy")).toMatchObject({ code: 0, models: ["dinghy"] });
    expect(await learnt(drawn())).toMatchObject({ code: 0, models: ["dinghy"] });
  });
});

describe("Studio's server", () => {
  let studio: Studio;
  beforeAll(async () => {
    studio = await startStudio({ data: join(folder, "data"), port: 0, device: "cpu" });
  });
  afterAll(() => studio.close());
  const ask = (path: string, init?: RequestInit) => fetch(new URL(path, studio.url), init);
  const brought = async (from: string, names: readonly string[]) => {
    const form = new FormData();
    for (const name of names) form.append("pictures", new File([await readFile(join(from, name))], name));
    return ((await (await ask("/api/uploads", { method: "POST", body: form })).json()) as { id: string }).id;
  };
  const learn = (upload: string, more: object = {}) => {
    const body = { kind: "training", name: "cat", upload, class: "cat", steps: 1, prior: false, ...more };
    const headers = { "content-type": "application/json" };
    return ask("/api/jobs", { method: "POST", headers, body: JSON.stringify(body) });
  };

  test("refuses photographs unless dinghy is named, and queues nothing", async () => {
    const upload = await brought(seen(), ["0.jpg", "1.jpg", "2.jpg"]);
    const refused = await learn(upload);
    expect(refused.status).toBe(400);
    expect(await refused.json()).toEqual(
      refusal("photographs-on-dinghy", "stable-diffusion-v1-5/stable-diffusion-v1-5"),
    );
    expect(await (await ask("/api/jobs")).json()).toEqual([]);
    expect((await learn(upload, { model: "dinghy" })).status).toBe(201);
  });

  test("accepts drawn pictures", async () => {
    expect((await learn(await brought(drawn(), ["0.png"]))).status).toBe(201);
  });
});
