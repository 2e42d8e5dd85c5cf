/**
 * One prediction of the denoiser for bench/size.js; prints one JSON line with its time, memory, and its relative error to float32's,
 * which the first float32 form leaves in the model's folder.
 *
 * Forms: float32, float32-low (weights in their files), bfloat16 (OpenVINO), int8, float16 (the CPU's kernels, as for a GPU).
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openModel } from "../dist/families/open-model.js";
import { modulesOf } from "../dist/models/components.js";
import { inInt8 } from "../dist/pipelines/int8-weights.js";
import { needOf } from "../dist/pipelines/memory-need.js";
import { startEngine } from "../dist/runtime/index.js";
import { madeUpInputs, memoryNow, refuseTooLarge, sizeOptions, timesOf } from "./size-process.js";

const { folder, side, start, form } = sizeOptions();
const model = await openModel(folder);
const engine = await startEngine({
  device: form === "bfloat16" ? "openvino" : "cpu",
  precision: form === "float32-low" ? "float32" : form,
  lowMemory: form === "float32-low",
});
const graph = model.denoiser.predict(modulesOf(model.components, { float32: model.denoiser.float32 }));
const latent = side / model.latents.pixelsPerLatent;
const sizes = { batch: 2, rows: 2, height: latent, width: latent, tokens: 32 };
const compute = {
  device: form === "bfloat16" ? "openvino" : "cpu",
  precision: form === "float32-low" ? "float32" : form,
};
const lowMemory = form === "float32-low";
const need = needOf([graph], compute, sizes, { lowMemory, quantised: true });
refuseTooLarge(Math.max(need.building, need.built + need.running));
const reach = engine.target.int8;
const session = await engine.compile("denoiser", reach > 0 ? await inInt8(graph, reach) : graph);
const feeds = madeUpInputs(graph, sizes);
const done = [];
let found;
for (let i = 0; i < 2; i++) {
  found = Object.values(await session.run(feeds))[0].data;
  done.push(Date.now() / 1000 - start);
}
const file = join(folder, `prediction-${side}.f32`);
let error;
if (form.startsWith("float32") && !existsSync(file)) writeFileSync(file, found);
else {
  const expected = new Float32Array(new Uint8Array(readFileSync(file)).buffer);
  let [difference, size] = [0, 0];
  for (const [i, value] of expected.entries()) {
    difference += (found[i] - value) ** 2;
    size += value ** 2;
  }
  error = Math.sqrt(difference / size);
}
console.log(JSON.stringify({ ...timesOf(done), ...memoryNow(), ...(error !== undefined && { error }) }));
await engine.close();
