/**
 * Pictures per second with the embedded model, by method and batch size, and the memory used:
 *
 *     npm run build && node bench/throughput.js
 */
import { Pipeline } from "../dist/index.js";

const [count, steps, rounds] = [16, 6, 3];
const sizes = [1, 2, 4, 8, 16];
// One, two and three rows; pg and ag have two, like cfg.
const methods = ["none", "cfg", "pg", "cfg+ag"];

const pipeline = await Pipeline.load("dinghy", { device: "cpu" });

async function seconds(guidance, batch) {
  const began = performance.now();
  let rows = 0;
  const request = { prompt: "a dog on the beach", guidance, seed: 1, count, steps, sampler: "dpm++" };
  for await (const event of pipeline.generate(request, { batch })) if (event.type === "step") rows = event.rows;
  return { rows, seconds: (performance.now() - began) / 1000 };
}

const middle = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

try {
  console.log(`pictures a second, ${steps} steps of dpm++, median of ${rounds}; at a time: ${sizes.join(", ")}`);
  for (const guidance of methods) {
    const cells = [];
    let rows = 0;
    for (const batch of sizes) {
      await seconds(guidance, batch); // The first run of a size builds its networks.
      const all = [];
      for (let i = 0; i < rounds; i++) {
        const one = await seconds(guidance, batch);
        rows = one.rows;
        all.push(one.seconds);
      }
      cells.push((count / middle(all)).toFixed(2));
    }
    console.log(`${guidance} (rows a step: ${rows}): ${cells.join(", ")}`);
  }
  console.log(`most memory: ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB`);
} finally {
  await pipeline.close();
}
