/** What the processes of bench/size.js share: their options, and the peak of memory. */
import { existsSync, readFileSync } from "node:fs";
import { freemem } from "node:os";
import { parseArgs } from "node:util";
import { sizeOf } from "../dist/graph/dim.js";
import { inputsOf } from "../dist/graph/index.js";

// The last line that a failed process prints says why.
process.on("uncaughtException", (error) => {
  console.error(error.message.split("\n")[0]);
  process.exit(1);
});

/** Bytes of memory that are free, or taken by the file cache. */
export function availableBytes() {
  if (!existsSync("/proc/meminfo")) return freemem();
  return Number(/MemAvailable:\s+(\d+)/.exec(readFileSync("/proc/meminfo", "utf8"))[1]) * 1024;
}

/** @throws Error if `bytes` are more than nine tenths of the memory that is available. */
export function refuseTooLarge(bytes) {
  const available = availableBytes();
  if (bytes <= 0.9 * available) return;
  const [needed, free] = [bytes, available].map((n) => (n / 2 ** 30).toFixed(1));
  throw new Error(`left out: it needs about ${needed} GiB, and ${free} GiB are available`);
}

/** The model's folder and the options of a process. */
export function sizeOptions() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      side: { type: "string", default: "1024" },
      steps: { type: "string", default: "3" },
      start: { type: "string", default: String(Date.now() / 1000) },
      precision: { type: "string", default: "float32" },
      guidance: { type: "string", default: "cfg" },
      form: { type: "string", default: "float32" },
      memory: { type: "string" },
      low: { type: "boolean", default: false },
      profile: { type: "boolean", default: false },
    },
  });
  const { memory, side, steps, start, ...rest } = values;
  return {
    ...rest,
    folder: positionals[0],
    side: Number(side),
    steps: Number(steps),
    start: Number(start),
    memory: memory === undefined ? undefined : Number(memory) * 2 ** 30,
  };
}

/** Peak memory so far, and how much of the memory now is pages of files, which the system can take back. */
export function memoryNow() {
  const peakBytes = process.resourceUsage().maxRSS * 1024;
  if (process.platform !== "linux") return { peakBytes };
  const [, kilobytes] = /RssFile:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"));
  return { peakBytes, fileBytes: Number(kilobytes) * 1024 };
}

/** Seconds between events, and from the start to the first. */
export const timesOf = (done) => ({ first: done[0], steps: done.slice(1).map((t, i) => t - done[i]) });

/** Made-up numbers about as large as a network's own. */
export const wave = (length) => Float32Array.from({ length }, (_, i) => Math.sin(1.7 * i + 0.013 * (i % 9973) ** 2));

/** Made-up inputs of a graph without adapters, at sizes; `bias` masks nothing. */
export function madeUpInputs(graph, sizes) {
  const inputs = {};
  for (const [name, { shape: open, dtype }] of inputsOf(graph)) {
    const shape = open.map((d) => sizeOf(d, sizes));
    const length = shape.reduce((a, b) => a * b, 1);
    const numbers =
      name === "timestep" ? new Array(length).fill(500) : name === "bias" ? new Array(length).fill(0) : wave(length);
    inputs[name] = { shape, data: dtype === "int32" ? new Int32Array(length) : Float32Array.from(numbers) };
  }
  return inputs;
}
