/** What the benchmarks share: one model for both runtimes, processes that take turns, a table of ratios. */
import { spawnSync } from "node:child_process";
import { createReadStream, existsSync, readdirSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

/** A script beside this file. */
export const beside = (file) => fileURLToPath(new URL(file, import.meta.url));

/** --python, --model, --steps, --rounds. */
export function parseOptions(steps) {
  const { values } = parseArgs({
    options: {
      python: { type: "string", default: "python3" },
      model: { type: "string", default: join(tmpdir(), "tiller-bench-sd15") },
      steps: { type: "string", default: String(steps) },
      rounds: { type: "string", default: "1" },
    },
  });
  return { ...values, steps: Number(values.steps), rounds: Number(values.rounds) };
}

/** Writes the model where it is missing, and reads it once, so that no process pays for a cold disk. */
export async function prepareModel({ model, python }) {
  if (!existsSync(join(model, "lora.safetensors"))) {
    console.error(`writing random weights to ${model}`);
    run(python, [beside("make_random_sd15.py"), model]);
  }
  for (const file of readdirSync(model, { recursive: true, withFileTypes: true })) {
    if (!file.isFile()) continue;
    for await (const _ of createReadStream(join(file.parentPath, file.name), { highWaterMark: 1 << 22 }));
  }
}

/** What a process prints. */
export function run(command, args) {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: "utf8", maxBuffer: 1 << 26 });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} failed:\n${stderr}`);
  return stdout;
}

export const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];

/**
 * One process of a script beside this file, which prints `{ done, peakBytes }`: the seconds after START at which its steps
 * were done. Gives seconds a step after the first, seconds from the start to the end of the first, peak memory.
 */
export function measure({ python, steps }, script, args) {
  const command = script.endsWith(".py") ? python : process.execPath;
  const { done, peakBytes } = JSON.parse(run(command, [beside(script), ...args, steps, String(Date.now() / 1000)]));
  const each = done.slice(1).map((t, i) => t - done[i]);
  return { step: median(each), steps: each, firstStep: done[0], peakGiB: peakBytes / 2 ** 30 };
}

const figures = [
  ["step", "seconds a step"],
  ["firstStep", "start to first step"],
  ["peakGiB", "peak memory, GiB"],
];

/** Runs every case on both runtimes in turns and prints the table. */
export function compare(options, cases) {
  const results = new Map(Object.keys(cases).map((name) => [name, { tiller: [], diffusers: [] }]));
  for (let round = 0; round < options.rounds; round++) {
    for (const [name, scripts] of Object.entries(cases)) {
      for (const runtime of ["tiller", "diffusers"]) {
        const result = measure(options, ...scripts[runtime]);
        console.error(name.padEnd(10), runtime.padEnd(10), JSON.stringify(result));
        results.get(name)[runtime].push(result);
      }
    }
  }
  const of = (name, runtime, key) => median(results.get(name)[runtime].map((result) => result[key]));
  console.log(
    `${cpus()[0].model}, ${cpus().length} cores, ${options.steps} steps a process, ${options.rounds} round(s)\n`,
  );
  console.log("case       measure              Tiller  Diffusers  Diffusers / Tiller");
  for (const name of results.keys()) {
    for (const [key, title] of figures) {
      const [ours, theirs] = [of(name, "tiller", key), of(name, "diffusers", key)];
      const ratio = (theirs / ours).toFixed(2).padStart(18);
      console.log(
        `${name.padEnd(10)} ${title.padEnd(20)} ${ours.toFixed(2).padStart(6)}  ${theirs.toFixed(2).padStart(9)}  ${ratio}`,
      );
    }
  }
}
