/** Omega over the steps, by block and by component: pictures against PyTorch's, Diffusers' and PEFT's (parity/omega_pictures.py). */
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  encodePng,
  type GenerateEvent,
  type GuidanceName,
  type Omega,
  type PictureRequest,
  Pipeline,
  readRecipe,
} from "../src/index.ts";
import { agreement, fixture, type PictureCase, reference } from "./fixtures.ts";
import { refusal } from "./refusal.ts";

const cases = JSON.parse(readFileSync(fixture("omega/cases.json"), "utf8")) as (PictureCase & { base?: string })[];
const pictures = await reference("../omega/pictures.safetensors");

async function draw(pipeline: Pipeline, request: PictureRequest) {
  const events: GenerateEvent[] = [];
  for await (const event of pipeline.generate(request)) events.push(event);
  const warnings = events.flatMap((event) => (event.type === "warning" ? [event.message] : []));
  return { pictures: events.flatMap((event) => (event.type === "picture" ? [event] : [])), warnings };
}

describe("the picture is PyTorch's:", () => {
  test.each(cases.map((one) => [one.name, one] as const))("%s", async (name, { pipeline, base, adapters, request }) => {
    const loaded = await Pipeline.load(fixture(`pipelines/${pipeline}`), {
      adapters: adapters.map(({ file, strength }) => ({ file: fixture(`adapters/${file}`), strength })),
      base: base && fixture(`pipelines/${base}`),
      device: "cpu",
    });
    try {
      const { pictures: drawn, warnings } = await draw(loaded, request);
      expect(warnings).toEqual([]);
      expect(agreement(drawn[0]!.data, (await pictures(name)).data)).toBeGreaterThanOrEqual(0.999);
      expect(drawn[0]!.recipe.request.omega).toBe(request.omega);
    } finally {
      await loaded.close();
    }
  });
});

describe("an open model with an adapter on every layer and its text encoder", () => {
  let pipeline: Pipeline;
  beforeAll(async () => {
    const adapters = [fixture("adapters/lora-kohya.safetensors")];
    pipeline = await Pipeline.load(fixture("pipelines/sd15"), { adapters, device: "cpu" });
  });
  afterAll(() => pipeline.close());

  const request: PictureRequest = { prompt: "a red cat", guidance: "pg", steps: 4, width: 32, height: 32, count: 2 };
  const drawn = async (omega: Omega, guidance: GuidanceName = "pg") =>
    (await draw(pipeline, { ...request, guidance, omega })).pictures.map(({ data }) => Buffer.from(data));

  test.each(["pg", "pg++", "output-interpolation"] as const)(
    "%s draws a constant schedule as the number, bit for bit",
    async (guidance) => {
      const plain = await drawn(0.3, guidance);
      for (const omega of ["constant:0.3", "linear:0.3..0.3", "cosine:0.3..0.3", "step:0.3..0.3"] as const)
        expect(await drawn(omega, guidance)).toEqual(plain);
    },
  );

  test("parts of one number draw as that number, bit for bit", async () => {
    const plain = await drawn(0.3);
    expect(await drawn("unet=0.3,text_encoder=0.3")).toEqual(plain);
    expect(await drawn("down=0.3,mid=0.3,up=0.3,text_encoder=0.3")).toEqual(plain);
    expect(await drawn("0.3,down=0.3")).toEqual(plain);
    expect(await drawn("down=0.3,mid=0.3,up=0.3")).not.toEqual(plain);
    expect(await drawn("up=1")).toEqual(await drawn(1));
  });

  test("a step at the end is the first number until then", async () => {
    const previews = async (omega: Omega) => {
      const seen: Buffer[] = [];
      for await (const event of pipeline.generate({ ...request, count: 1, omega }))
        if (event.type === "step") seen.push(Buffer.from((await event.preview())[0]!.data));
      return seen;
    };
    const [stepped, plain] = [await previews("step:0.2..0.9@0.75"), await previews(0.2)];
    expect(stepped.slice(0, 3)).toEqual(plain.slice(0, 3));
    expect(stepped[3]).not.toEqual(plain[3]);
  });

  test("a picture's recipe draws it again", async () => {
    const folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
    try {
      const omega = "0.5,up=linear:0..1,text_encoder=step:0..1@0.3";
      const { pictures: made } = await draw(pipeline, { ...request, omega });
      const file = join(folder, "one.png");
      await writeFile(file, await encodePng(made[1]!, made[1]!.recipe));
      const again = await draw(pipeline, (await readRecipe(file)).request);
      expect(again.pictures.map(({ data }) => data)).toEqual([made[1]!.data]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("changes without a new session", async () => {
    await drawn(0.3);
    const before = pipeline.sessionsBuilt;
    await drawn("linear:0..1");
    await drawn("0.5,up=cosine:0..1,down.0=0.25");
    expect(pipeline.sessionsBuilt).toBe(before);
  });

  test("evaluates the weak model at some steps only, with those steps' omegas", async () => {
    const some = { ...request, guidanceEvery: 3 };
    const [one, other] = await Promise.all(
      // The steps evaluated are 0 and 3, where both have 0.2 and 0.8.
      (["linear:0.2..0.8", "step:0.2..0.8@0.75"] as const).map((omega) => draw(pipeline, { ...some, omega })),
    );
    expect(one!.pictures.map(({ data }) => data)).toEqual(other!.pictures.map(({ data }) => data));
  });

  test("refuses parts that the model does not have, naming those it has", async () => {
    await expect(drawn("transformer=0.5")).rejects.toThrow(refusal("setting-invalid", "transformer", "down.0", "unet"));
    await expect(drawn("up.9=0.5")).rejects.toThrow(refusal("setting-invalid", "up.9"));
    await expect(drawn("up=0", "output-interpolation")).rejects.toThrow(refusal("setting-invalid", "by part"));
    await expect(drawn("up=half" as Omega)).rejects.toThrow(refusal("setting-invalid", "omega", "linear:0.2..0.8"));
  });
});

test("a part that no adapter changes is named in a warning", async () => {
  const adapters = [fixture("adapters/lora-peft.safetensors")];
  const pipeline = await Pipeline.load(fixture("pipelines/sd15"), { adapters, device: "cpu" });
  try {
    const request = { prompt: "a cat", guidance: "pg", steps: 1, width: 32, height: 32 } as const;
    const { warnings } = await draw(pipeline, { ...request, omega: "up=0.5,text_encoder=0" });
    expect(warnings).toEqual(["omega for text_encoder has no effect: no adapter changes that part"]);
  } finally {
    await pipeline.close();
  }
});
