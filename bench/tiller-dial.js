/**
 * The cost of the dial: alternating steps of CFG, PG and CFG+AG in one process; prints the minimum times in seconds as one JSON
 * line.
 *
 * The minimum, because the work is the same each time and disturbances only add to it.
 *
 *     node bench/tiller-dial.js FOLDER ROUNDS
 */
import { Pipeline } from "../dist/index.js";

const [folder, rounds] = process.argv.slice(2);
const pipeline = await Pipeline.load(folder, { adapters: [`${folder}/lora.safetensors`], device: "cpu" });
const times = { cfg: [], pg: [], "cfg+ag": [] };
for (let round = 0; round < Number(rounds); round++) {
  for (const guidance of Object.keys(times)) {
    const request = { prompt: "a photo of a cat in a santa hat", guidance, omega: 0.6, steps: 3 };
    let last;
    for await (const event of pipeline.generate(request)) {
      if (event.type !== "step") continue;
      const now = performance.now() / 1000;
      if (last !== undefined) times[guidance].push(now - last); // the first step also prepares the text
      last = now;
      if (event.step === event.steps) break;
    }
  }
}
console.log(JSON.stringify(Object.fromEntries(Object.entries(times).map(([name, list]) => [name, Math.min(...list)]))));
await pipeline.close();
