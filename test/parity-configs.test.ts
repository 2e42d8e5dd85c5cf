/** Configs with significant nulls, read as in Diffusers (`parity/configs.py`). */
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openModel } from "../src/families/open-model.ts";
import { crossAttentions, unetConfig } from "../src/models/unet.ts";
import { buildDenoiser } from "../src/pipelines/denoiser.ts";
import { type Engine, startEngine } from "../src/runtime/index.ts";
import { loadTokenizer } from "../src/text/tokenizer.ts";
import { fixture, reference, relativeError } from "./fixtures.ts";

let engine: Engine;
let folder: string;
beforeAll(async () => {
  engine = await startEngine();
  folder = await mkdtemp(join(tmpdir(), "tiller-configs-"));
  await cp(fixture("pipelines/sd15"), folder, { recursive: true });
});
afterAll(async () => {
  await engine.close();
  await rm(folder, { recursive: true });
});

test("a distilled U-Net without a middle block runs as in Diffusers", async () => {
  await rm(join(folder, "unet"), { recursive: true });
  await cp(fixture("configs/distilled-unet"), join(folder, "unet"), { recursive: true });
  const model = await openModel(folder);
  expect(crossAttentions(unetConfig(model.components.get("unet")!.config)).join(" ")).not.toContain("mid_block");
  const denoiser = await buildDenoiser(engine, model, []);
  const answer = await reference("../configs/distilled-unet.answers.safetensors");
  const [latents, text, prediction] = [await answer("latents"), await answer("text"), await answer("prediction")];
  const part = ({ shape, data }: typeof text, row: number) => {
    const size = data.length / 2;
    return { shape: [1, ...shape.slice(1)], data: data.slice(row * size, (row + 1) * size) };
  };
  for (const [row, timestep] of [951, 401].entries()) {
    const kept = await engine.hold({ text: part(text, row) });
    const conditioning = await denoiser.condition({ strengths: [1], text: kept, release: () => engine.drop(kept) }, 1);
    const found = await denoiser.predict(part(latents, row), timestep, conditioning);
    // Summation order differs from the reference's by some float32 units; the limit is 1e-4.
    expect(relativeError(found, part(prediction, row))).toBeLessThan(1e-4);
  }
  await denoiser.release();
});

test("a tokenizer's model_max_length limits prompts", async () => {
  const file = join(folder, "tokenizer", "tokenizer_config.json");
  const config = JSON.parse(await readFile(file, "utf8"));
  const lengths: number[] = [];
  for (const most of [20, 1e30, undefined]) {
    await writeFile(file, JSON.stringify({ ...config, model_max_length: most }));
    const { text, tokenizerFolder } = await openModel(folder);
    const { inputs } = text.tokenize(await loadTokenizer(tokenizerFolder), "a red cat", new Map());
    expect(text.positions).toBe(inputs.ids!.length);
    lengths.push(text.positions);
  }
  expect(lengths).toEqual([20, 77, 77]);
});
