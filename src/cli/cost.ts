/** `tiller bench cost`: what each guidance method costs, as the paper's table 8 has it. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { embeddedModel, type GuidanceName, guidanceNames, TillerError } from "../index.ts";
import { addCommonOptions, type CommonOptions, parseGuidance } from "./options.ts";
import type { Output } from "./output.ts";
import { shortBytes, table } from "./printable.ts";
import { parseWhole } from "./values.ts";
import type { World } from "./world.ts";

export interface CostOptions extends CommonOptions {
  model?: string;
  adapter?: string[];
  prompt: string;
  steps?: number;
  width?: number;
  height?: number;
  guidance?: GuidanceName;
}

/** Those of table 8, and none. */
const methods: readonly GuidanceName[] = ["none", "cfg", "sag", "cfg+ag", "pg"];

/** What a method costs. */
interface Cost {
  readonly guidance: GuidanceName;
  /** Evaluations of the network in a step. */
  readonly rows?: number;
  /** Of the second picture of its process, decoding included; undefined if the method could not draw. */
  readonly seconds?: number;
  /** The largest resident size of its process, in bytes. */
  readonly memory?: number;
  /** Why it could not draw. */
  readonly why?: string;
}

export function addCost(bench: Command, act: (options: CostOptions) => Promise<void>): void {
  const command = bench
    .command("cost")
    .description("evaluations, seconds a picture and peak memory of each guidance method, one process a method")
    .option("--model <model>", "a Diffusers folder, a single file or a hub id; default: dinghy")
    .option(
      "--adapter <file>",
      "an adapter, which cfg+ag and pg need, with a learned token for sag; repeatable",
      (text, before: string[] = []) => [...before, text],
    )
    .option("--prompt <text>", "the prompt, with the adapter's token", "a photo of a sks dog")
    .option("--steps <n>", "sampler steps; default: the model's", (text) => parseWhole("--steps", text, 1))
    .option("--width <n>", "pixels; default: the model's", (text) => parseWhole("--width", text, 1))
    .option("--height <n>", "pixels; default: the model's", (text) => parseWhole("--height", text, 1));
  command.option("--guidance <method>", `only this one, in this process: ${guidanceNames.join(", ")}`, parseGuidance);
  addCommonOptions(command).action(act);
}

/** @throws TillerError if no method could draw. */
export async function cost(options: CostOptions, world: World, output: Output): Promise<void> {
  const { signal } = world;
  if (options.guidance) {
    const own = await measured(options.guidance, options, world);
    output.result.cost = own;
    return output.say(lines([own]));
  }
  const costs: Cost[] = [];
  output.result.costs = costs;
  for (const [i, guidance] of methods.entries()) {
    output.progress.steps(guidance, { done: i, total: methods.length }, "one process a method");
    costs.push(await costOf(guidance, options, signal));
  }
  output.progress.end();
  const drawn = costs.filter(({ seconds }) => seconds !== undefined);
  if (drawn.length === 0) throw new TillerError("cost-unknown", `No method could draw: ${costs[0]!.why}`);
  output.say(lines(costs));
}

function lines(costs: readonly Cost[]): string {
  const cfg = costs.find(({ guidance }) => guidance === "cfg")?.seconds;
  return table([
    ["guidance", "rows", "s/picture", "of cfg", "peak memory"],
    ...costs.map(({ guidance, rows, seconds, memory, why }) =>
      seconds === undefined || memory === undefined
        ? [guidance, "", why ?? ""]
        : [guidance, String(rows), seconds.toFixed(2), cfg ? (seconds / cfg).toFixed(2) : "", shortBytes(memory)],
    ),
  ]);
}

/** Draws two pictures one by one; the first also builds the networks. */
async function measured(guidance: GuidanceName, options: CostOptions, world: World): Promise<Cost> {
  const {
    model = embeddedModel,
    adapter: adapters = [],
    prompt,
    steps,
    width,
    height,
    device,
    precision,
    threads,
  } = options;
  const { signal } = world;
  const pipeline = await world.loadPipeline(model, { adapters, device, precision, threads, signal });
  try {
    let [rows, seconds] = [0, 0];
    for (const seed of [0, 1]) {
      const began = performance.now();
      for await (const event of pipeline.generate({ prompt, guidance, seed, steps, width, height }, { signal })) {
        if (event.type === "step") rows = event.rows;
      }
      seconds = (performance.now() - began) / 1000;
    }
    return { guidance, rows, seconds, memory: process.resourceUsage().maxRSS * 1024 };
  } finally {
    await pipeline.close();
  }
}

/** The same in a process of its own. */
async function costOf(guidance: GuidanceName, options: CostOptions, signal: AbortSignal): Promise<Cost> {
  const { adapter = [], ...others } = options;
  const words = Object.entries({ ...others, json: undefined, verbose: undefined, guidance })
    .filter(([, value]) => value !== undefined)
    .flatMap(([name, value]) => [`--${name}`, String(value)]);
  const { error, cost } = await answerOf(
    ["bench", "cost", ...words, ...adapter.flatMap((file) => ["--adapter", file]), "--json"],
    signal,
  );
  return cost ?? { guidance, why: error!.message };
}

interface Answer {
  readonly error?: { readonly message: string };
  readonly cost?: Cost;
}

/** The JSON that a command of this program prints. */
async function answerOf(words: readonly string[], signal: AbortSignal): Promise<Answer> {
  const main = fileURLToPath(new URL("./main.js", import.meta.url));
  const child = spawn(process.execPath, [main, ...words], { stdio: ["ignore", "pipe", "ignore"], signal });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (part: string) => {
    text += part;
  });
  await new Promise((resolve, reject) => child.on("close", resolve).on("error", reject));
  signal.throwIfAborted();
  try {
    return JSON.parse(text);
  } catch {
    return { error: { message: "its process ended without an answer, most likely for lack of memory" } };
  }
}
