/** Style guidance, and the style of a request. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type PictureRequest, Pipeline } from "../src/index.ts";
import { parametersText } from "../src/recipe/parameters.ts";
import { fixture } from "./fixtures.ts";

const lora = fixture("adapters/lora-diffusers-old.safetensors");
let pipeline: Pipeline;
beforeAll(async () => {
  pipeline = await Pipeline.load(fixture("pipelines/sd15"), { adapters: [lora], device: "cpu" });
});
afterAll(() => pipeline.close());

async function draw(request: Partial<PictureRequest>) {
  const warnings: string[] = [];
  const usual = { prompt: "a red cat", steps: 5, width: 32, height: 32, seed: 3 };
  for await (const event of pipeline.generate({ ...usual, ...request })) {
    if (event.type === "warning") warnings.push(event.message);
    if (event.type === "picture") return { picture: event, warnings };
  }
  throw new Error("no picture came");
}

test("is the pre-trained model's CFG without the style at style scale 0, and until the style begins", async () => {
  const guided = { guidance: "style", style: "in the snow", scale: 5 } as const;
  const { picture } = await draw({ ...guided, styleScale: 4 });
  const [none, late, half] = [
    (await draw({ ...guided, styleScale: 0 })).picture.data,
    (await draw({ ...guided, styleScale: 4, styleFrom: 1 })).picture.data,
    (await draw({ ...guided, styleScale: 4, styleFrom: 0.5 })).picture.data,
  ];
  await pipeline.setAdapters([`${lora}:0`]);
  const base = (await draw({ guidance: "cfg", scale: 5 })).picture.data;
  await pipeline.setAdapters([lora]);
  expect(none).toEqual(base);
  expect(late).toEqual(base);
  expect(picture.data).not.toEqual(base);
  expect(half).not.toEqual(base);
  expect(half).not.toEqual(picture.data);
});

test.each(["cfg", "pg", "ag"] as const)("with %s, the style is the end of the prompt", async (guidance) => {
  const { picture } = await draw({ guidance, style: "in the snow" });
  expect(picture.data).toEqual((await draw({ guidance, prompt: "a red cat in the snow" })).picture.data);
  expect(picture.data).not.toEqual((await draw({ guidance })).picture.data);
});

test("a style is in the recipe, which draws the picture again, and in the parameters of community tools", async () => {
  const { picture } = await draw({ guidance: "style", style: "in the snow", styleFrom: 0.2 });
  expect(picture.recipe.request).toMatchObject({ prompt: "a red cat", style: "in the snow", styleFrom: 0.2 });
  expect((await draw(picture.recipe.request)).picture.data).toEqual(picture.data);
  const text = parametersText(picture.recipe, 32, 32);
  expect(text.split("\n")[0]).toBe("a red cat in the snow");
  expect(text).toContain("Style: in the snow");
});

test("without a style, style guidance gives a warning", async () => {
  expect((await draw({ guidance: "style" })).warnings).toEqual([expect.stringContaining("no style is given")]);
  expect((await draw({ guidance: "style", style: "in the snow" })).warnings).toEqual([]);
});
