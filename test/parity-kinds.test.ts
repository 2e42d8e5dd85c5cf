/** Adapters other than plain LoRA, written by LyCORIS and PEFT (`parity/adapter_kinds.py`), on the tiny SD 1.5. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readAdapter } from "../src/adapters/index.ts";
import type { Model } from "../src/families/family.ts";
import { openModel } from "../src/families/open-model.ts";
import { buildDenoiser } from "../src/pipelines/denoiser.ts";
import { type Engine, startEngine, type Tensor } from "../src/runtime/index.ts";
import { fixture, reference, relativeError } from "./fixtures.ts";
import { broughtOut, rowAt } from "./tensor-rows.ts";

/** Summation order differs from the reference's by some float32 units; the limit is 1e-4. */
const tolerance = 1e-4;

let engine: Engine;
let model: Model;
let given: (name: string) => Promise<Tensor>;
beforeAll(async () => {
  engine = await startEngine();
  model = await openModel(fixture("pipelines/sd15"));
  given = await reference("../kinds/inputs.safetensors");
});
afterAll(() => engine.close());

/** Batches of a base row, a weak row and a strong row, as in guidance. */
const rows = [0, 0.6, 1];

describe.each([
  "locon",
  "dora",
  "dora-by-input",
  "loha",
  "loha-wide",
  "lokr",
  "lokr-whole",
  "lokr-tucker",
  "lokr-dora",
  "glora",
  "ia3",
  "full",
  "norms",
  "peft-dora",
  "peft-bias",
  "peft-loha",
  "peft-lokr",
  "peft-ia3",
])("%s", (name) => {
  test("computes W0 + omega (W1 - W0) in each row of a batch, in every network", async () => {
    const file = fixture(`kinds/${name}${name.startsWith("peft") ? "" : ".safetensors"}`);
    const adapter = await readAdapter(file, model);
    const denoiser = await buildDenoiser(engine, model, [{ adapter, strength: 1 }]);
    const answer = await reference(`../kinds/${name}.answers.safetensors`);

    const [latents, context, timesteps] = [await given("latents"), await given("context"), await given("timesteps")];
    const timestep = 1;
    const text = await engine.hold({ text: repeated(rowAt(context, timestep), rows.length) });
    const conditioning = await denoiser.condition({ strengths: rows, text, release: () => engine.drop(text) }, 1);
    const found = await denoiser.predict(
      repeated(rowAt(latents, timestep), rows.length),
      timesteps.data[timestep]!,
      conditioning,
    );
    for (const [row, suffix] of [
      [1, "06"],
      [2, "1"],
    ] as const) {
      const due = rowAt(await answer(`prediction_${suffix}`), timestep);
      expect(relativeError(rowAt(found, row), due)).toBeLessThan(tolerance);
    }

    const ids = [...rowAt(await given("ids"), 0).data];
    const encoded = await denoiser.encode(
      rows.map((strength) => ({ tokens: { inputs: { ids }, dropped: "" }, strength })),
      0,
    );
    const states = await broughtOut(engine, encoded.text);
    for (const [row, suffix] of [
      [1, "06"],
      [2, "1"],
    ] as const) {
      expect(relativeError(rowAt(states, row), rowAt(await answer(`text_${suffix}`), 0))).toBeLessThan(tolerance);
    }
    await denoiser.release();
  });
});

const repeated = ({ shape, data }: Tensor, times: number): Tensor => ({
  shape: [times, ...shape.slice(1)],
  data: new Float32Array(Array.from({ length: times }, () => [...data]).flat()),
});
