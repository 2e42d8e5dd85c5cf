/** Strengths by component, and the null text's encoder: pictures against Diffusers' (parity/strength_pictures.py). */
import { readFileSync } from "node:fs";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type PictureRequest, Pipeline } from "../src/index.ts";
import { agreement, fixture, type PictureCase, reference } from "./fixtures.ts";
import { refusal } from "./refusal.ts";

interface StrengthCase extends Omit<PictureCase, "adapters"> {
  readonly adapters: readonly { readonly file: string; readonly strength: number | Record<string, number> }[];
}
const cases = JSON.parse(readFileSync(fixture("strengths/cases.json"), "utf8")) as StrengthCase[];
const pictures = await reference("../strengths/pictures.safetensors");

const placed = (adapters: StrengthCase["adapters"]) =>
  adapters.map(({ file, strength }) => ({ file: fixture(`adapters/${file}`), strength }));

async function draw(pipeline: Pipeline, request: PictureRequest) {
  const warnings: string[] = [];
  for await (const event of pipeline.generate(request)) {
    if (event.type === "warning") warnings.push(event.message);
    if (event.type === "picture") return { picture: event, warnings };
  }
  throw new Error("no picture came");
}

describe("the picture is Diffusers':", () => {
  test.each(cases.map((one) => [one.name, one] as const))("%s", async (name, { pipeline, adapters, request }) => {
    const loaded = await Pipeline.load(fixture(`pipelines/${pipeline}`), { adapters: placed(adapters), device: "cpu" });
    try {
      const { picture, warnings } = await draw(loaded, request);
      expect(warnings).toEqual([]);
      expect(agreement(picture.data, (await pictures(name)).data)).toBeGreaterThanOrEqual(0.999);
      expect(picture.recipe.adapters.map(({ strength }) => strength)).toEqual(adapters.map(({ strength }) => strength));
      expect(picture.recipe.request.nullText).toBe(request.nullText);
    } finally {
      await loaded.close();
    }
  });
});

describe("strengths by component", () => {
  const lora = fixture("adapters/lora-kohya.safetensors");
  const request: PictureRequest = { prompt: "a red cat", guidance: "pg", omega: 0.3, steps: 2, width: 32, height: 32 };

  test("change without a new session; all equal to one strength, they draw its picture", async () => {
    const pipeline = await Pipeline.load(fixture("pipelines/sd15"), { adapters: [`${lora}:0.6`], device: "cpu" });
    try {
      const { picture } = await draw(pipeline, request);
      const before = pipeline.sessionsBuilt;
      await pipeline.setAdapters([`${lora}:unet=0.6,text_encoder=0.6`]);
      expect((await draw(pipeline, request)).picture.data).toEqual(picture.data);
      await pipeline.setAdapters([`${lora}:text_encoder=0.6`]);
      expect((await draw(pipeline, request)).picture.data).not.toEqual(picture.data);
      await pipeline.setAdapters([{ file: lora, strength: { text_encoder: 0.6, unet: 1 } }]);
      const { picture: named } = await draw(pipeline, request);
      await pipeline.setAdapters([`${lora}:text_encoder=0.6`]);
      expect((await draw(pipeline, request)).picture.data).toEqual(named.data);
      expect(pipeline.sessionsBuilt).toBe(before);
    } finally {
      await pipeline.close();
    }
  });

  test("for a component that the adapter does not change give a warning", async () => {
    const file = fixture("adapters/lora-peft.safetensors");
    const adapters = [`${file}:unet=0.6,text_encoder=0.5`, `${fixture("adapters/ti.safetensors")}:unet=0.5`];
    const pipeline = await Pipeline.load(fixture("pipelines/sd15"), { adapters, device: "cpu" });
    try {
      expect((await draw(pipeline, request)).warnings).toEqual([
        `the strength text_encoder=0.5 of ${file} has no effect: it does not change that component`,
        `the strength unet=0.5 of ${fixture("adapters/ti.safetensors")} has no effect: it is an embedding`,
      ]);
    } finally {
      await pipeline.close();
    }
  });

  test("for a component that the model lacks are refused", async () => {
    const adapters = [`${lora}:text_encoder_2=0.5`];
    await expect(Pipeline.load(fixture("pipelines/sd15"), { adapters, device: "cpu" })).rejects.toThrow(
      refusal("setting-invalid", "text_encoder_2", "unet or text_encoder"),
    );
  });

  test("too large in one component are refused", async () => {
    const adapters = [`${lora}:text_encoder=1e30`];
    await expect(Pipeline.load(fixture("pipelines/sd15"), { adapters, device: "cpu" })).rejects.toThrow(
      refusal("setting-invalid", "text_encoder=1e+30"),
    );
  });
});

test("with a base, the fine-tune's text encoder reads the null text as if the base had that text encoder", async () => {
  const folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
  try {
    const [tuned, base] = [fixture("pipelines/sd15"), fixture("pipelines/sd15-fp16")];
    await cp(base, folder, { recursive: true });
    await rm(join(folder, "text_encoder"), { recursive: true });
    await cp(join(tuned, "text_encoder"), join(folder, "text_encoder"), { recursive: true });
    const drawn = async (place: string, settings: Partial<PictureRequest>) => {
      const pipeline = await Pipeline.load(tuned, { base: place, device: "cpu" });
      try {
        const request = { prompt: "a red cat", guidance: "pg", omega: 0, steps: 2, width: 32, height: 32 } as const;
        return (await draw(pipeline, { ...request, ...settings })).picture.data;
      } finally {
        await pipeline.close();
      }
    };
    const strong = await drawn(base, { nullText: "strong" });
    expect(strong).toEqual(await drawn(folder, {}));
    expect(strong).not.toEqual(await drawn(base, {}));
  } finally {
    await rm(folder, { recursive: true });
  }
});
