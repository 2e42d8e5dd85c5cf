/** Compiles and runs one small graph in the browser; the page's title is the result. */
import { add, constant, groupNorm, input, linear, parameter, reshape, silu } from "../../dist/graph/index.js";
import { startEngine } from "../../dist/runtime/web/index.js";

/** Weights in memory, like those of a file chosen by the user. */
const weights = Float32Array.from({ length: 8 }, (_, i) => i / 4 - 1);
const source = {
  name: "picked.safetensors",
  size: weights.byteLength,
  read: async (at, length) => new Uint8Array(weights.buffer.slice(at, at + length)),
};
const ref = { name: "w", source, offset: 0, byteLength: 32, shape: [2, 4], dtype: "float32" };

async function run() {
  const x = input("x", [1, 4]);
  const y = silu(linear(add(x, 1), parameter(ref))); // [1, 2]
  const norm = groupNorm(reshape(y, [1, 2, 1, 1]), 1, constant([2, 1, 1], [1, 1]), constant([2, 1, 1], [0, 0]), 1e-5);
  const engine = await startEngine({ threads: 1 });
  const session = await engine.compile("small graph", { y, norm });
  const feeds = { x: { shape: [1, 4], data: Float32Array.of(0, 1, 2, 3) } };
  const results = await session.run(feeds);
  const kept = await session.keep(feeds);
  await engine.drop(kept);
  await engine.close();
  return [...results.y.data, ...results.norm.data];
}

run().then(
  (numbers) => (document.title = `came out: ${numbers.join(" ")}`),
  (error) => (document.title = `failed: ${error.stack}`),
);
