/**
 * Checks a GPU in under ten minutes: whether its results in float32 and float16 match the CPU's, how fast it draws, and a few
 * training steps.
 *
 *     npm run check:gpu -- [--device cuda|webgpu] [--model FOLDER] [--python PYTHON]
 *
 * The default device is the first of cuda and webgpu that works. With `--model`, a Stable Diffusion folder, 512x512 pictures
 * are timed too; with `--python`, which needs diffusers and torch for that device, Diffusers in float16 is timed as well.
 * Without `--model`, it then writes a model with random weights (4.3 GB).
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { drawReferences, embeddedConcept } from "../dist/experiments/concepts.js";
import { Pipeline, probeDevice, train } from "../dist/index.js";
import { beside, median, prepareModel, run } from "./paired.js";

const { values: asked } = parseArgs({
  options: { device: { type: "string" }, model: { type: "string" }, python: { type: "string" } },
});
const limit = AbortSignal.timeout(9.5 * 60_000);

/** The device to check. */
async function findDevice() {
  const why = [];
  for (const name of asked.device ? [asked.device] : ["cuda", "webgpu"]) {
    const { ok, detail } = await probeDevice(name);
    if (ok) return name;
    why.push(`${name}: ${detail.split("\n")[0].replace(/\.$/, "")}`);
  }
  console.error(`No GPU works here, so there is nothing to check (${why.join("; ")}).`);
  process.exit(1);
}
const device = await findDevice();
const contestants = [
  ["cpu", "float32"],
  [device, "float32"],
  [device, "float16"],
];
const headings = contestants.map((names) => names.join(" "));
/** Rows of the table, and failures. */
const [rows, failures] = [[], []];

/** Adds a row with one cell per contestant; failures are listed below the table. */
async function row(name, measure, shown = String) {
  const cells = [];
  for (const [i, [on, precision]] of contestants.entries()) {
    if (limit.aborted) cells.push("no time");
    else {
      console.error(`${name}: ${headings[i]}`);
      const found = await measure(on, precision).catch((error) => {
        failures.push(`${name}, ${headings[i]}: ${error.message.split("\n")[0]}`);
      });
      cells.push(found === undefined ? "failed" : shown(found));
    }
  }
  rows.push([name, ...cells]);
}

/** Records a failure if a number is out of bounds. */
function hold(name, found, { least, most }) {
  if ((least !== undefined && !(found >= least)) || (most !== undefined && !(found <= most)))
    failures.push(`${name}: ${found}, expected ${least === undefined ? `at most ${most}` : `at least ${least}`}`);
}

const pipelines = new Map();
async function pipelineOf(model, on, precision) {
  const key = [model, on, precision].join();
  if (!pipelines.has(key)) {
    await closeAll();
    pipelines.set(key, await Pipeline.load(model, { device: on, precision, signal: limit }));
  }
  return pipelines.get(key);
}
async function closeAll() {
  for (const pipeline of pipelines.values()) await pipeline.close();
  pipelines.clear();
}

/** Pictures, the seconds of each step, and total seconds. */
async function draw(pipeline, request, batch) {
  const [pictures, steps] = [[], []];
  const began = performance.now();
  let last = began;
  for await (const event of pipeline.generate(request, { batch, signal: limit })) {
    const now = performance.now();
    if (event.type === "step") steps.push((now - last) / 1000);
    if (event.type === "picture") pictures.push(event.data);
    last = now;
  }
  return { pictures, steps, seconds: (performance.now() - began) / 1000 };
}

/** In decibels; infinite if nothing differs. */
function psnr(a, b) {
  const error = a.reduce((sum, value, i) => sum + (value - b[i]) ** 2, 0) / a.length;
  return 10 * Math.log10(255 ** 2 / error);
}

/** dinghy's pictures against the CPU's at equal seeds: nearly the same, also in float16. */
async function pictures() {
  let expected;
  await row(
    "dinghy's pictures, least PSNR, dB",
    async (on, precision) => {
      const pipeline = await pipelineOf("dinghy", on, precision);
      const all = [];
      for (const guidance of ["none", "cfg"]) {
        const request = { prompt: "a corgi in the snow", guidance, steps: 10, scale: 2.5, seed: 3, count: 2 };
        all.push(...(await draw(pipeline, request)).pictures);
      }
      expected ??= all;
      const least = Math.min(...all.map((picture, i) => psnr(picture, expected[i])));
      hold(`PSNR of ${on} ${precision}`, least, { least: precision === "float32" ? 35 : 28 });
      return least;
    },
    (decibels) => decibels.toFixed(1),
  );
}

/** How fast a model draws: a CFG step for one picture, and pictures per second in batches. */
async function speed(label, model, { steps, batch, size = {} }) {
  const request = { prompt: "a cat in the snow", guidance: "cfg", steps, seed: 1, sampler: "dpm++", ...size };
  await row(
    `${label}, ms per CFG step`,
    async (on, precision) => {
      const pipeline = await pipelineOf(model, on, precision);
      return 1000 * median((await draw(pipeline, request, 1)).steps.slice(1));
    },
    (milliseconds) => milliseconds.toFixed(1),
  );
  await row(
    `${label}, pictures per second, batches of ${batch}`,
    async (on, precision) => {
      if (on === "cpu" && model !== "dinghy") return 0; // takes minutes, and npm run bench measures it
      const pipeline = await pipelineOf(model, on, precision);
      const many = { ...request, count: batch };
      await draw(pipeline, { ...many, steps: 2 }, batch); // builds the networks for this batch
      return batch / (await draw(pipeline, many, batch)).seconds;
    },
    (rate) => (rate === 0 ? "-" : rate.toFixed(2)),
  );
}

/** Training steps from the same seed: the loss matches the CPU's. */
async function training(model, steps) {
  const folder = await mkdtemp(join(tmpdir(), "tiller-gpu-"));
  await drawReferences(embeddedConcept("brown_dog"), join(folder, "dog"));
  const timed = [];
  let expected;
  await row(
    `training, loss at step ${steps}`,
    async (on, precision) => {
      const out = join(folder, `${on}-${precision}-${timed.length}.safetensors`);
      const request = { model, images: join(folder, "dog"), token: "sks", class: "dog", out, steps, prior: false };
      const seconds = [];
      let loss;
      for await (const event of train("dreambooth", request, { device: on, precision, signal: limit })) {
        if (event.type === "step") seconds.push(event.seconds);
        if (event.type === "step") loss = event.loss;
      }
      timed.push([`${on} ${precision}`, median(seconds.slice(1))]);
      expected ??= loss;
      hold(`loss of ${on} ${precision}`, Math.abs(loss / expected - 1), { most: 0.02 });
      return loss;
    },
    (loss) => loss.toFixed(5),
  );
  const second = (heading) => timed.find(([name]) => name === heading)?.[1]?.toFixed(3) ?? "failed";
  rows.push(["training, seconds per step", ...headings.map(second)]);
  await rm(folder, { recursive: true });
}

/** Runs test/gpu.test.ts: each network and a training step on the device, against float32 on the CPU. */
async function graphs() {
  if (device === "cpu") return; // test/half.test.ts does this
  console.error("graphs");
  const vitest = fileURLToPath(new URL("../node_modules/vitest/vitest.mjs", import.meta.url));
  const child = spawn(process.execPath, [vitest, "run", "test/gpu.test.ts"], {
    cwd: fileURLToPath(new URL("..", import.meta.url)),
    env: { ...process.env, TILLER_GPU: device },
    stdio: ["ignore", 2, 2],
    signal: limit,
  });
  const [code] = await once(child, "close").catch((error) => [error.message]);
  if (code !== 0) failures.push(`the graphs of test/gpu.test.ts: see above (${code})`);
  rows.push(["graphs against float32 on the CPU", "", "", code === 0 ? "passed" : "failed"]);
}

await graphs();
await pictures();
await speed("dinghy", "dinghy", { steps: 10, batch: 16 });
await closeAll();
await training("dinghy", 4);
if (asked.model !== undefined || asked.python !== undefined) {
  const model = asked.model ?? join(tmpdir(), "tiller-bench-sd15");
  if (asked.python !== undefined) await prepareModel({ model, python: asked.python });
  await speed("512x512", model, { steps: 8, batch: 4, size: { width: 512, height: 512 } });
  await closeAll();
  if (asked.python !== undefined && !limit.aborted) {
    console.error("Diffusers");
    const { step, rate } = JSON.parse(run(asked.python, [beside("diffusers_gpu.py"), model, device, "8", "4"]));
    rows.push(["512x512, Diffusers float16, ms per step", "", "", (1000 * step).toFixed(1)]);
    rows.push(["512x512, Diffusers float16, pictures per second", "", "", rate.toFixed(2)]);
  }
}

const table = [["", ...headings], ...rows];
const widths = headings.map((_, i) => Math.max(...table.map((cells) => cells[i + 1].length)));
const first = Math.max(...table.map(([name]) => name.length));
for (const [name, ...cells] of table)
  console.log([name.padEnd(first), ...cells.map((cell, i) => cell.padStart(widths[i]))].join("  "));
for (const failure of failures) console.log(`failed: ${failure}`);
process.exit(failures.length === 0 ? 0 : 1);
