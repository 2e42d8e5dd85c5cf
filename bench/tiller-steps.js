/**
 * Times denoising steps of Tiller on one model, in a separate process; prints one JSON line.
 *
 *     node bench/tiller-steps.js FOLDER METHOD DEVICE PRECISION exact|averaged STEPS START
 */
import { Pipeline } from "../dist/index.js";

const [folder, guidance, device, precision, attention, steps, start] = process.argv.slice(2);
const adapters = [`${folder}/lora.safetensors`];
const pipeline = await Pipeline.load(folder, { adapters, device, precision, attention });
const done = [];
const request = { prompt: "a photo of a cat in a santa hat", guidance, omega: 0.6, steps: Number(steps) };
for await (const event of pipeline.generate(request)) {
  if (event.type !== "step") continue;
  done.push(Date.now() / 1000 - Number(start));
  if (event.step === event.steps) break; // the decoder is not part of a step
}
console.log(JSON.stringify({ done, peakBytes: process.resourceUsage().maxRSS * 1024 }));
await pipeline.close();
