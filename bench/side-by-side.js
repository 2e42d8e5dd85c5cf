/**
 * Tiller beside Diffusers, on the same random weights of Stable Diffusion 1.5's size, at 512x512 with a rank-4 LoRA.
 *
 *     npm run bench -- [--python python3] [--model FOLDER] [--steps 5] [--rounds 1]
 *
 * Each figure comes from a fresh process; the two take turns, so a machine that slows down slows both. `python` needs
 * `pip install -r parity/requirements.txt`. The model (4.3 GB) is written to FOLDER when it is not there yet.
 */
import { spawnSync } from "node:child_process";
import { createReadStream, existsSync, readdirSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    python: { type: "string", default: "python3" },
    model: { type: "string", default: join(tmpdir(), "tiller-bench-sd15") },
    steps: { type: "string", default: "5" },
    rounds: { type: "string", default: "1" },
  },
});
const beside = (file) => fileURLToPath(new URL(file, import.meta.url));

function run(command, args) {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: "utf8", maxBuffer: 1 << 26 });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} failed:\n${stderr}`);
  return stdout;
}

if (!existsSync(join(values.model, "lora.safetensors"))) {
  console.error(`writing random weights to ${values.model}`);
  run(values.python, [beside("make_random_sd15.py"), values.model]);
}

// Read once, so that neither runtime's first process pays for a cold disk.
for (const file of readdirSync(values.model, { recursive: true, withFileTypes: true })) {
  if (!file.isFile()) continue;
  const stream = createReadStream(join(file.parentPath, file.name), { highWaterMark: 1 << 22 });
  for await (const _ of stream);
}

const runtimes = {
  tiller: (method) => [process.execPath, beside("tiller-steps.js"), values.model, method],
  diffusers: (method) => [values.python, beside("diffusers_steps.py"), values.model, method],
};
const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];

/** One process: seconds a step after the first, seconds from start to the end of the first step, peak memory. */
function measure(runtime, method) {
  const [command, ...args] = runtimes[runtime](method);
  const { done, peakBytes } = JSON.parse(run(command, [...args, values.steps, String(Date.now() / 1000)]));
  const steps = done.slice(1).map((t, i) => t - done[i]);
  return { step: median(steps), steps, firstStep: done[0], peakGiB: peakBytes / 2 ** 30 };
}

const results = {};
for (let round = 0; round < Number(values.rounds); round++) {
  for (const method of ["cfg", "pg", "cfg+ag"]) {
    for (const runtime of ["tiller", "diffusers"]) {
      const result = measure(runtime, method);
      console.error(method.padEnd(7), runtime.padEnd(10), JSON.stringify(result));
      results[method] ??= { tiller: [], diffusers: [] };
      results[method][runtime].push(result);
    }
  }
}

const of = (method, runtime, key) => median(results[method][runtime].map((r) => r[key]));
console.log(`${cpus()[0].model}, ${cpus().length} cores, ${values.steps} steps a process, ${values.rounds} round(s)\n`);
console.log("method   measure              Tiller  Diffusers  Diffusers / Tiller");
for (const method of Object.keys(results)) {
  for (const [key, name] of [
    ["step", "seconds a step"],
    ["firstStep", "start to first step"],
    ["peakGiB", "peak memory, GiB"],
  ]) {
    const [ours, theirs] = [of(method, "tiller", key), of(method, "diffusers", key)];
    console.log(
      `${method.padEnd(8)} ${name.padEnd(20)} ${ours.toFixed(2).padStart(6)}  ${theirs.toFixed(2).padStart(9)}  ${(theirs / ours).toFixed(2).padStart(18)}`,
    );
  }
}
const cfg = of("cfg", "tiller", "step");
console.log(
  `\nTiller: PG / CFG ${(of("pg", "tiller", "step") / cfg).toFixed(3)}, CFG+AG / CFG ${(of("cfg+ag", "tiller", "step") / cfg).toFixed(3)}`,
);
