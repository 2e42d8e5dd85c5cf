/**
 * Steps of CFG, PG and CFG+AG in turns, on one network, for bench/size.js: `cfg pg pg cfg` a round, and one of `cfg+ag`. Prints
 * a JSON line after every round.
 *
 * A machine's speed changes from minute to minute by more than the methods differ, so each is compared with its neighbours. Text
 * states are made up: the text encoder is not built.
 */
import { readAdapter } from "../dist/adapters/index.js";
import { openModel } from "../dist/families/open-model.js";
import { modulesOf } from "../dist/models/components.js";
import { buildDenoiser } from "../dist/pipelines/denoiser.js";
import { float32, startEngine } from "../dist/runtime/index.js";
import { madeUpInputs, memoryNow, sizeOptions, wave } from "./size-process.js";

const { folder, side, precision, steps: rounds } = sizeOptions();
const model = await openModel(folder);
const adapters = [{ adapter: await readAdapter(`${folder}/lora.safetensors`, model, {}), strength: 1 }];
const engine = await startEngine({ device: precision === "bfloat16" ? "openvino" : "cpu", precision });
const denoiser = await buildDenoiser(engine, model, adapters, { apart: true });
const latent = side / model.latents.pixelsPerLatent;
const strengths = { cfg: [1, 1], pg: [1, 0.6], "cfg+ag": [1, 1, 0] };
const conditionings = {};
for (const [method, ofRows] of Object.entries(strengths)) {
  const sizes = { batch: ofRows.length, rows: ofRows.length, tokens: 32 };
  const texts = madeUpInputs(model.denoiser.prepare(modulesOf(model.components)), sizes);
  const rows = { strengths: ofRows, text: await engine.hold(texts), release: async () => {} };
  conditionings[method] = await denoiser.condition(rows, 1);
}
const times = { cfg: [], pg: [], "cfg+ag": [] };
async function step(method, timed = true) {
  const shape = [strengths[method].length, denoiser.channels, latent, latent];
  const latents = float32(shape, wave(shape.reduce((a, b) => a * b, 1)));
  const start = performance.now();
  await denoiser.predict(latents, 500, conditionings[method]);
  if (timed) times[method].push((performance.now() - start) / 1000);
}
await step("cfg", false);
for (let round = 0; round < rounds; round++) {
  for (const method of ["cfg", "pg", "pg", "cfg", "cfg+ag"]) await step(method);
  const [cfg, pg, withAg] = ["cfg", "pg", "cfg+ag"].map((name) => times[name].reduce((a, b) => a + b, 0));
  // After every round: what was measured counts if time runs out.
  console.log(JSON.stringify({ times, ratios: { pg: pg / cfg, "cfg+ag": (2 * withAg) / cfg }, ...memoryNow() }));
}
await engine.close();
