/**
 * A model of a published size with random weights, at real size: Tiller in every number type, and Diffusers, one process each, in turns.
 *
 *     npm run bench -- --size sd15|sana-600m|sana-1600m|sdxl [--folder FOLDER] [--side 1024] [--steps 3] [--rounds 1]
 *                      [--only cfg,pg,cfg+ag,diffusers,dial,precisions,errors,profile,training] [--python python3] [--results FILE]
 *
 * The weights are written to FOLDER (default: $TILLER_BENCH_SIZES or the system's temporary folder, then the size's name) by
 * bench/make_random.py, 2 to 9 GB. Every figure is appended to FILE (default: FOLDER/results.jsonl) as soon as it is known; a figure that
 * FILE already has is not measured again, so a run that was stopped goes on where it was. What does not fit into memory says so and
 * is left out.
 */
import { spawnSync } from "node:child_process";
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { availableParallelism, cpus, freemem, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openModel } from "../dist/families/open-model.js";
import { parametersOf } from "../dist/families/parameters.js";
import { beside, median, run } from "./paired.js";
import { availableBytes } from "./size-process.js";

const kinds = ["cfg", "pg", "cfg+ag", "diffusers", "dial", "precisions", "errors", "profile", "training"];
const { values: asked } = parseArgs({
  options: {
    size: { type: "string" },
    folder: { type: "string" },
    side: { type: "string" },
    steps: { type: "string", default: "3" },
    rounds: { type: "string", default: "1" },
    only: { type: "string", default: kinds.join(",") },
    python: { type: "string", default: "python3" },
    results: { type: "string" },
    memory: { type: "string" },
    minutes: { type: "string", default: "30" },
  },
});
const only = asked.only.split(",");
for (const kind of only) if (!kinds.includes(kind)) throw new Error(`--only ${kind}: it takes ${kinds.join(", ")}`);
const folder = asked.folder ?? join(process.env.TILLER_BENCH_SIZES ?? join(tmpdir(), "tiller-bench"), asked.size);
const side = asked.side ?? (asked.size === "sd15" ? "512" : "1024");
const results = asked.results ?? join(folder, "results.jsonl");
if (!existsSync(join(folder, "lora.safetensors"))) {
  console.error(`writing random weights to ${folder}`);
  run(asked.python, [beside("make_random.py"), asked.size, folder]);
}
// Diffusers loads everything before it encodes the prompt.
const { components } = await openModel(folder);
const parameters = [...components.values()].reduce((sum, component) => sum + parametersOf(component), 0);
const known = existsSync(results)
  ? readFileSync(results, "utf8")
      .trim()
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line))
  : [];

/** One process of a script; its figures, or why there are none. Known ones are not measured again. */
function measured(kind, name, script, args, round = 0) {
  const key = `${asked.size} ${side} ${kind} ${name} ${round}`;
  const before = known.find((one) => one.key === key);
  if (before) return before;
  console.error(`${new Date().toISOString().slice(11, 19)} ${key}, ${(freemem() / 2 ** 30).toFixed(1)} GiB free`);
  const command = script.endsWith(".py") ? asked.python : process.execPath;
  const { status, signal, stdout, stderr } = spawnSync(
    command,
    [beside(script), folder, ...args, "--side", side, "--steps", asked.steps, "--start", String(Date.now() / 1000)],
    { encoding: "utf8", maxBuffer: 1 << 26, timeout: Number(asked.minutes) * 60_000 },
  );
  const last = stderr.trim().split("\n").at(-1) ?? "";
  const line = stdout.trim().split("\n").at(-1);
  const found =
    status === 0 || (signal === "SIGTERM" && line !== "")
      ? JSON.parse(line)
      : { failed: signal === "SIGKILL" ? "killed: out of memory" : signal === "SIGTERM" ? "out of time" : last };
  const one = { key, kind, name, ...found };
  // A failure is told, and tried again by the next run.
  if (!("failed" in one)) appendFileSync(results, `${JSON.stringify(one)}\n`);
  else console.error(`  ${one.failed}`);
  known.push(one);
  return one;
}

const tiller = (kind, name, precision, guidance, round, more = []) =>
  measured(
    kind,
    name,
    kind === "dial" ? "size-dial.js" : "tiller-size.js",
    ["--precision", precision, "--guidance", guidance, ...memory, ...more],
    round,
  );
const memory = asked.memory === undefined ? [] : ["--memory", asked.memory];
const rows = [];
for (let round = 0; round < Number(asked.rounds); round++) {
  for (const guidance of ["cfg", "pg", "cfg+ag"]) {
    if (!only.includes(guidance)) continue;
    rows.push(tiller(guidance, "Tiller float32", "float32", guidance, round));
    if (!only.includes("diffusers")) continue;
    for (const dtype of ["float32", "bfloat16"]) {
      const args = ["--dtype", dtype, "--guidance", guidance];
      const need = parameters * (dtype === "float32" ? 4 : 2) + 2 * 2 ** 30;
      const name = `Diffusers ${dtype}`;
      if (need > 0.9 * availableBytes()) {
        const [needed, free] = [need, availableBytes()].map((n) => (n / 2 ** 30).toFixed(1));
        rows.push({ kind: guidance, name, failed: `left out: ${needed} GiB of ${free} GiB available` });
      } else rows.push(measured(guidance, name, "diffusers_size.py", args, round));
    }
  }
  if (only.includes("precisions")) {
    rows.push(tiller("cfg", "Tiller float32, low memory", "float32", "cfg", round, ["--low"]));
    for (const precision of ["bfloat16", "int8"])
      rows.push(tiller("cfg", `Tiller ${precision}`, precision, "cfg", round));
  }
}
if (only.includes("dial")) rows.push(tiller("dial", "Tiller float32", "float32", "pg", 0));
if (only.includes("errors")) {
  // float32 leaves its prediction beside the weights, and the others compare with it.
  for (const form of ["float32", "float32-low", "bfloat16", "int8", "float16"])
    rows.push(measured("error", form, "size-error.js", ["--form", form]));
}
if (only.includes("profile")) rows.push(tiller("profile", "Tiller float32", "float32", "cfg", 0, ["--profile"]));
if (only.includes("training")) {
  for (const form of ["float32", "float32-low", "bfloat16"])
    rows.push(measured("training", `Tiller ${form}`, "size-training.js", ["--form", form]));
}

const memoryInfo = /MemTotal:\s+(\d+)/.exec(existsSync("/proc/meminfo") ? readFileSync("/proc/meminfo", "utf8") : "");
const total = memoryInfo ? `${(Number(memoryInfo[1]) / 2 ** 20).toFixed(1)} GiB` : "";
console.log(`${asked.size}, ${side} x ${side}, ${cpus()[0].model}, ${availableParallelism()} threads, ${total}\n`);
const cell = (value, digits, width) => (value === undefined ? "" : value.toFixed(digits)).padStart(width);
console.log(
  `${"what".padEnd(10)} ${"".padEnd(28)} seconds a step  to the first  peak GiB  of them files  relative error`,
);
for (const one of rows) {
  const begin = `${one.kind.padEnd(10)} ${one.name.padEnd(28)}`;
  if (one.failed) console.log(`${begin} ${one.failed.slice(0, 160)}`);
  else
    console.log(
      begin,
      cell(one.steps && median(one.steps), 2, 14),
      cell(one.first, 1, 13),
      cell(one.peakBytes / 2 ** 30, 1, 9),
      cell(one.fileBytes === undefined ? undefined : one.fileBytes / 2 ** 30, 1, 14),
      one.error === undefined ? "" : one.error.toExponential(1).padStart(15),
    );
}
for (const { ratios } of rows)
  for (const [method, ratio] of Object.entries(ratios ?? {}))
    console.log(`\n${method} / cfg, in turns: ${ratio.toFixed(3)}`);
for (const one of rows) {
  if (!one.operators) continue;
  console.log("\noperators of the denoiser, share of its time");
  for (const { operator, share, calls } of one.operators)
    console.log(`  ${operator.padEnd(24)} ${(100 * share).toFixed(1).padStart(5)} %  ${calls} calls`);
}
