/** Shared code of the benchmarks: one model for both runtimes, alternating processes, a table of ratios. */
import { spawnSync } from "node:child_process";
import { createReadStream, existsSync, readdirSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

/** The path of a script beside this file. */
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

/** Writes the model if missing, and reads it once, so that no process pays for a cold disk. */
export async function prepareModel({ model, python }) {
  if (!existsSync(join(model, "lora.safetensors"))) {
    console.error(`writing random weights to ${model}`);
    run(python, [beside("make_random.py"), "sd15", model, "--float32"]);
  }
  for (const file of readdirSync(model, { recursive: true, withFileTypes: true })) {
    if (!file.isFile()) continue;
    for await (const _ of createReadStream(join(file.parentPath, file.name), { highWaterMark: 1 << 22 }));
  }
}

/** Runs a process and returns its output. */
export function run(command, args) {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: "utf8", maxBuffer: 1 << 26 });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} failed:\n${stderr}`);
  return stdout;
}

export const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];

/**
 * One process of a script beside this file, which prints `{ done, peakBytes }`: the seconds after START at which its steps were
 * done. Returns seconds per step after the first, seconds from the start to the end of the first, and peak memory.
 */
export function measure({ python, steps }, script, args) {
  const command = script.endsWith(".py") ? python : process.execPath;
  const { done, peakBytes } = JSON.parse(run(command, [beside(script), ...args, steps, String(Date.now() / 1000)]));
  const each = done.slice(1).map((t, i) => t - done[i]);
  return { step: median(each), steps: each, firstStep: done[0], peakGiB: peakBytes / 2 ** 30 };
}

/**
 * Runs every case with every contestant, alternating, and prints the table: medians, and each contestant's step time relative to
 * the case's last contestant.
 *
 * @param cases By name, each with its contestants by name: a script and its arguments.
 */
export function compare(options, cases) {
  const results = new Map();
  for (let round = 0; round < options.rounds; round++) {
    for (const [name, contestants] of Object.entries(cases)) {
      for (const [contestant, [script, args]] of Object.entries(contestants)) {
        const result = measure(options, script, args);
        console.error(name.padEnd(12), contestant.padEnd(20), JSON.stringify(result));
        const key = `${name}|${contestant}`;
        results.set(key, [...(results.get(key) ?? []), result]);
      }
    }
  }
  const of = (name, contestant, key) => median(results.get(`${name}|${contestant}`).map((result) => result[key]));
  console.log(
    `${cpus()[0].model}, ${cpus().length} cores, ${options.steps} steps a process, ${options.rounds} round(s)\n`,
  );
  console.log("case         contestant            seconds a step  of the last  to the first step  peak GiB");
  for (const [name, contestants] of Object.entries(cases)) {
    const last = Object.keys(contestants).at(-1);
    for (const contestant of Object.keys(contestants)) {
      const [step, first, peak] = ["step", "firstStep", "peakGiB"].map((key) => of(name, contestant, key));
      console.log(
        [
          name.padEnd(12),
          contestant.padEnd(20),
          step.toFixed(2).padStart(15),
          (step / of(name, last, "step")).toFixed(2).padStart(12),
          first.toFixed(1).padStart(18),
          peak.toFixed(1).padStart(9),
        ].join(" "),
      );
    }
  }
}
