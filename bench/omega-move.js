/**
 * Moving omega between two whole checkpoints: the blend in memory and the blend in a file, and what a step costs with each.
 *
 *     node bench/omega-move.js FOLDER [--side 512] [--rounds 5]
 *
 * FOLDER is a pipeline of bench/make_random.py. Its fine-tune is the denoiser's file with every value's last bits changed, written
 * beside it once. Prints one JSON line: seconds of each move, of each step, and bytes at their peak.
 */
import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, open, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openModel } from "../dist/families/open-model.js";
import { Pipeline } from "../dist/index.js";
import { weakNetworks } from "../dist/pipelines/weak-networks.js";
import { startEngine } from "../dist/runtime/index.js";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { side: { type: "string", default: "512" }, rounds: { type: "string", default: "5" } },
});
const folder = positionals[0];
const side = Number(values.side);
const omegas = Array.from({ length: Number(values.rounds) + 1 }, (_, i) => (i + 1) / (Number(values.rounds) + 2));
const tuned = `${folder}-tuned`;
await writeTuned();

/** Seconds that `work` takes. */
async function timed(work) {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

const steps = [];
const changed = [];
const pipeline = await Pipeline.load(tuned, { base: folder, device: "cpu", precision: "float32" });
for (const omega of omegas) {
  let last = performance.now();
  for await (const event of pipeline.generate({ prompt: "a red fox", omega, steps: 3, width: side, height: side })) {
    if (event.type !== "step") continue;
    const now = performance.now();
    (event.step === 1 ? changed : steps).push((now - last) / 1000);
    last = now;
    if (event.step === event.steps) break; // the decoder is not part of a step
  }
}
await pipeline.close();

const moves = {};
const cache = await mkdtemp(join(tmpdir(), "tiller-bench-"));
process.env.XDG_CACHE_HOME = cache;
for (const [way, fits] of [
  ["memory", () => true],
  ["file", () => false],
]) {
  const [model, base] = await Promise.all([openModel(tuned, { base: folder }), openModel(folder)]);
  const engine = await startEngine({ device: "cpu", precision: "float32" });
  const weak = weakNetworks(engine, model, base, {}, fits);
  moves[way] = [];
  for (const omega of omegas) moves[way].push(await timed(() => weak.at(omega, [])));
  await engine.close();
}
await rm(cache, { recursive: true });
const peakBytes = process.resourceUsage().maxRSS * 1024;
// The first of each also builds the networks.
console.log(JSON.stringify({ toTheFirstStep: changed, steps, moves, peakBytes }));

/** Copies the denoiser's file with the last three bits of every 16-bit value inverted. */
async function writeTuned() {
  const [from, to] = [folder, tuned].map((one) => join(one, "unet"));
  const name = "diffusion_pytorch_model.safetensors";
  if (existsSync(join(to, name))) return;
  await mkdir(to, { recursive: true });
  await copyFile(join(from, "config.json"), join(to, "config.json"));
  const [source, target] = [await open(join(from, name)), await open(join(to, `${name}.part`), "w")];
  const length = Buffer.alloc(8);
  await source.read(length, 0, 8, 0);
  const header = 8 + Number(length.readBigUInt64LE());
  const block = Buffer.alloc(1 << 24);
  for (let at = 0; ; ) {
    const { bytesRead } = await source.read(block, 0, block.length, at);
    if (bytesRead === 0) break;
    for (let i = Math.max(0, header - at); i < bytesRead; i++) if ((at + i - header) % 2 === 0) block[i] ^= 7;
    await target.write(block, 0, bytesRead, at);
    at += bytesRead;
  }
  await Promise.all([source.close(), target.close()]);
  await rename(join(to, `${name}.part`), join(to, name));
}
