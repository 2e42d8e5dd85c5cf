/** Keys and values of self-attention averaged over 2x2 pixels at the largest resolution: off by default. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { average, grad, input, mean, symbol } from "../src/graph/index.ts";
import { encodePng, Pipeline, readRecipe } from "../src/index.ts";
import { float32, startEngine } from "../src/runtime/index.ts";
import { bytes, lora, model, pictures, request } from "./drawing.ts";
import { tiller } from "./fake-world.ts";

let averaged: Pipeline;
let exact: Pipeline;
beforeAll(async () => {
  const options = { adapters: [lora], device: "cpu" } as const;
  averaged = await Pipeline.load(model, { ...options, attention: "averaged" });
  exact = await Pipeline.load(model, options);
});
afterAll(async () => {
  await averaged.close();
  await exact.close();
});

test("pooling averages 2x2 pixels, at an odd edge those that exist", async () => {
  const x = input("x", [1, 1, symbol("height"), symbol("width")]);
  const engine = await startEngine({ threads: 1 });
  const session = await engine.compile("average", { y: average(x) });
  const { y } = await session.run({ x: float32([1, 1, 3, 3], [1, 2, 3, 5, 6, 7, 9, 10, 11]) });
  await engine.close();
  expect(y!.shape).toEqual([1, 1, 2, 2]);
  expect([...y!.data]).toEqual([3.5, 5, 9.5, 11]);
  expect(() => average(input("flat", [1, 4]))).toThrow(/average of \[1, 4\]/);
  expect(() => grad(mean(average(x)), [x])).toThrow("no gradient");
});

test("draws another picture and records it in the recipe; exact attention is not recorded", async () => {
  const [one] = await pictures(averaged, request);
  const [other] = await pictures(exact, request);
  expect(bytes([one!])).not.toEqual(bytes([other!]));
  expect(one!.recipe.attention).toBe("averaged");
  expect(other!.recipe).not.toHaveProperty("attention");
});

test("omega 1 equals cfg, a batch equals its single pictures, and sizes with an odd number of latents work", async () => {
  const [dial] = await pictures(averaged, { ...request, omega: 1 });
  const [cfg] = await pictures(averaged, { ...request, guidance: "cfg" });
  expect(bytes([dial!])).toEqual(bytes([cfg!]));
  expect(bytes(await pictures(averaged, { ...request, count: 2 }, 2))).toEqual(
    bytes(await pictures(averaged, { ...request, count: 2 }, 1)),
  );
  const [odd] = await pictures(averaged, { ...request, steps: 1, width: 72, height: 56 });
  expect([odd!.width, odd!.height]).toEqual([72, 56]);
});

test("the command line repeats a recipe's attention unless another is given", async () => {
  const folder = await mkdtemp(join(tmpdir(), "tiller-averaged-"));
  const [picture] = await pictures(averaged, { ...request, steps: 1 });
  const file = join(folder, "a.png");
  await writeFile(file, await encodePng(picture!, picture!.recipe));
  expect((await readRecipe(file)).attention).toBe("averaged");
  const attentionOf = async (...more: string[]) =>
    (await tiller(["generate", "--out", folder, ...more])).loads[0]!.options.attention;
  expect(await attentionOf("--from", file)).toBe("averaged");
  expect(await attentionOf("--from", file, "--attention", "exact")).toBeUndefined();
  expect(await attentionOf("--prompt", "a cat", "--attention", "averaged")).toBe("averaged");
  expect(await attentionOf("--prompt", "a cat")).toBeUndefined();
  await rm(folder, { recursive: true });
});
