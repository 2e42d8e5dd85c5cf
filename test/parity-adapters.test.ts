import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readAdapter } from "../src/adapters/index.ts";
import { openModel } from "../src/families/open-model.ts";
import { buildDenoiser, type Denoiser, type EncodedRows } from "../src/pipelines/denoiser.ts";
import { type Engine, startEngine, type Tensor } from "../src/runtime/index.ts";
import { fixture, reference, relativeError } from "./fixtures.ts";
import { broughtOut, rowAt } from "./tensor-rows.ts";

/** Summation order differs from the reference's by some float32 units; the limit is 1e-4. */
const tolerance = 1e-4;

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine.close());

describe.each([
  ["lora-peft", "sd15"],
  ["lora-diffusers", "sd15"],
  ["lora-diffusers-old", "sd15"],
  ["lora-kohya", "sd15"],
  ["custom-diffusion", "sd15"],
  ["lora-sd21", "sd21"],
])("the adapter %s on %s", (name, pipeline) => {
  let denoiser: Denoiser;
  let expected: (name: string) => Promise<Tensor>;
  const textLora = name === "lora-diffusers-old" || name === "lora-kohya";
  beforeAll(async () => {
    const model = await openModel(fixture(`pipelines/${pipeline}`));
    const file = fixture(`adapters/${name}${name === "custom-diffusion" ? "" : ".safetensors"}`);
    const adapter = await readAdapter(file, model);
    denoiser = await buildDenoiser(engine, model, [{ adapter, strength: 1 }]);
    expected = await reference(`networks-adapter-${name}.safetensors`);
  });
  afterAll(() => denoiser.release());

  test.each([
    [1, "1"],
    [0.6, "06"],
  ])("at strength %d changes the networks as it does in Diffusers", async (strength, suffix) => {
    const [latents, context, timesteps] = [
      await expected("latents"),
      await expected("context"),
      await expected("timesteps"),
    ];
    const prediction = await expected(`prediction_${suffix}`);
    for (const [row, timestep] of timesteps.data.entries()) {
      const conditioning = await denoiser.condition(await encodedAs([strength], rowAt(context, row)), 1);
      const found = await denoiser.predict(rowAt(latents, row), timestep, conditioning);
      await conditioning.release();
      expect(relativeError(found, rowAt(prediction, row))).toBeLessThan(tolerance);
    }
  });

  if (textLora)
    test.each([
      [1, "1"],
      [0.6, "06"],
    ])("at strength %d changes the text encoder as it does in Diffusers", async (strength, suffix) => {
      const ids = await expected("ids");
      const rows = [0, 1].map((row) => ({
        tokens: { inputs: { ids: [...rowAt(ids, row).data] }, dropped: "" },
        strength,
      }));
      const encoded = await denoiser.encode(rows, 0);
      expect(relativeError(await broughtOut(engine, encoded.text), await expected(`text_${suffix}`))).toBeLessThan(
        tolerance,
      );
    });
});

/** Strong and weak rows predict the same in one batch as separately. */
test("rows of different strength do not affect each other", async () => {
  const model = await openModel(fixture("pipelines/sd15"));
  const adapter = await readAdapter(fixture("adapters/lora-peft.safetensors"), model);
  const denoiser = await buildDenoiser(engine, model, [{ adapter, strength: 1 }]);
  const expected = await reference("networks-adapter-lora-peft.safetensors");
  const [latents, context, timesteps] = [
    await expected("latents"),
    await expected("context"),
    await expected("timesteps"),
  ];
  const two = (t: Tensor): Tensor => ({
    shape: [2, ...t.shape.slice(1)],
    data: new Float32Array([...rowAt(t, 0).data, ...rowAt(t, 0).data]),
  });
  const conditioning = await denoiser.condition(await encodedAs([1, 0.6], two(context)), 1);
  const found = await denoiser.predict(two(latents), timesteps.data[0]!, conditioning);
  for (const [row, suffix] of ["1", "06"].entries()) {
    expect(relativeError(rowAt(found, row), rowAt(await expected(`prediction_${suffix}`), 0))).toBeLessThan(tolerance);
  }
  await denoiser.release();
});

/** Encoded texts in the worker, as the denoiser leaves them. */
async function encodedAs(strengths: readonly number[], text: Tensor): Promise<EncodedRows> {
  const kept = await engine.hold({ text });
  return { strengths, text: kept, release: () => engine.drop(kept) };
}
