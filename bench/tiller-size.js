/** Times steps of Tiller for bench/size.js; prints one JSON line. `--low` plans for the least memory that the model draws in. */
import { Pipeline } from "../dist/index.js";
import { memoryNow, refuseTooLarge, sizeOptions, timesOf } from "./size-process.js";

const { folder, side, steps, start, precision, guidance, memory, low, profile } = sizeOptions();
const drawing = { width: side, height: side, guidance };
const load = { adapters: [`${folder}/lora.safetensors`], precision, drawing, profile, memory };
let plan;
/** The plan with so many GiB, or undefined if the model does not fit. */
async function planWith(gibibytes) {
  const stop = new Error("planned");
  return Pipeline.load(folder, {
    ...load,
    memory: gibibytes * 2 ** 30,
    onPlan: (found) => {
      throw Object.assign(stop, { found });
    },
  }).catch((error) => {
    if (error === stop) return error.found;
    if (error.code === "memory-short") return undefined;
    throw error;
  });
}
if (low) {
  // The most memory in which the plan takes the low form.
  for (let gibibytes = 64; gibibytes >= 1 && load.memory === undefined; gibibytes--) {
    if ((await planWith(gibibytes))?.lowMemory) load.memory = gibibytes * 2 ** 30;
  }
}
const pipeline = await Pipeline.load(folder, {
  ...load,
  onPlan: (found) => {
    plan = found;
    if (low && !plan.lowMemory) throw new Error("left out: no size of memory takes the low form");
    refuseTooLarge(plan.bytes);
  },
});
const done = [];
const request = { prompt: "a photo of a cat in a santa hat", omega: 0.6, steps, ...drawing };
for await (const event of pipeline.generate(request)) {
  if (event.type !== "step") continue;
  done.push(Date.now() / 1000 - start);
  if (event.step === event.steps) break; // the decoder is not part of a step
}
const used = memoryNow();
const times = await pipeline.close();
const own = times.filter(({ graph }) => graph === "denoiser");
const all = own.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
const operators = own
  .slice(0, 10)
  .map(({ operator, milliseconds, calls }) => ({ operator, share: milliseconds / all, calls }));
console.log(JSON.stringify({ ...timesOf(done), ...used, plan, ...(profile && { operators }) }));
