/** `tiller doctor`: what works on this machine, and what is missing. */

import { existsSync } from "node:fs";
import { statfs } from "node:fs/promises";
import os from "node:os";
import { dirname } from "node:path";
import { getHFHubCachePath } from "@huggingface/hub";
import type { Command } from "commander";
import { type Device, deviceNames, modelMemory, runtimeVersion, version } from "../index.ts";
import { memoryText, totalMemory, trainingPlanText } from "../internal.ts";
import { addCommonOptions, type CommonOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { printable, shortBytes, table } from "./printable.ts";
import type { World } from "./world.ts";

/** The least Node version: `engines` in package.json. */
const leastNode = [20, 19] as const;
/** The memory that Stable Diffusion at 512 x 512 in float32 needs, and the disk space for its download. */
const leastMemory = 6 * 2 ** 30;
const leastDisk = 8 * 2 ** 30;

const remedies: Readonly<Record<Exclude<Device, "cpu">, () => string>> = {
  cuda: () =>
    "It needs Linux on x64 and an NVIDIA GPU with its driver; tiller cuda install installs the rest with your pip.",
  webgpu: () =>
    "It needs a GPU with a Vulkan, Metal or Direct3D 12 driver, and on Linux (x64) the Vulkan loader: " +
    "apt install libvulkan1",
  dml: () => "It is DirectML, on Windows.",
  coreml: () => "It is Core ML, on macOS.",
  openvino: () => "Install it with tiller openvino install, which uses your pip.",
  "openvino:gpu": () => "It needs an Intel graphics processor and its compute driver.",
  "openvino:npu": () => "It needs an Intel NPU and its driver.",
};

interface DoctorOptions extends CommonOptions {
  model?: string;
}

export function addDoctor(program: Command, act: (options: DoctorOptions) => Promise<void>): void {
  const command = program
    .command("doctor")
    .description("show what works on this machine, and what is missing")
    .option("--model <model>", "show what memory this model needs, in each number type that works here");
  addCommonOptions(command)
    .addHelpText("after", "\nExample:\n  tiller doctor --json\n  tiller doctor --model ./sana --memory 16")
    .action(act);
}

/** What a model needs in memory, a line for each way to compute. */
async function tellMemory(model: string, options: DoctorOptions, world: World, output: Output): Promise<void> {
  const { precision, memory } = options;
  const device = options.device === "auto" ? "cpu" : options.device;
  const plans = await modelMemory(model, {
    ...(device !== "cpu" && { device }),
    precision: precision === "auto" ? undefined : precision,
    ...(memory !== undefined && { memory: memory * 2 ** 30 }),
    signal: world.signal,
  });
  output.result.model = { name: model, ...plans };
  const fits = (plan: { readonly fits: boolean }) => (plan.fits ? "" : "; this does not fit");
  output.say(printable(`\n${model}`));
  for (const plan of plans.drawing) output.say(`  drawing, ${memoryText(plan)}${fits(plan)}`);
  output.say(`  training, ${trainingPlanText(plans.training)}${fits(plans.training)}`);
}

export async function doctor(options: DoctorOptions, world: World, output: Output): Promise<void> {
  const [model = "unknown"] = os.cpus().map((cpu) => cpu.model.trim());
  const memory = totalMemory();
  const cache = getHFHubCachePath();
  const freeDisk = await freeBytes(cache);
  const devices: { name: Device; ok: boolean; detail: string }[] = [];
  for (const name of deviceNames) {
    if (name === "auto") continue;
    world.signal.throwIfAborted();
    output.progress.doing(`trying ${name}`);
    const { ok, detail } = await world.probeDevice(name);
    devices.push({ name, ok, detail: detail.split("\n")[0]!.trim() });
  }
  output.progress.end();

  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const oldNode = major < leastNode[0] || (major === leastNode[0] && minor < leastNode[1]);
  const missing = [
    ...(oldNode ? [`Node ${leastNode.join(".")} or newer: install it from https://nodejs.org`] : []),
    ...(devices.some(({ name, ok }) => name === "cpu" && !ok)
      ? ["the CPU device: reinstall Tiller on this machine"]
      : []),
    ...(memory < leastMemory
      ? [`memory: Stable Diffusion at 512 x 512 needs ${shortBytes(leastMemory)}; generate smaller pictures`]
      : []),
    ...(freeDisk !== undefined && freeDisk < leastDisk
      ? [`disk: a model from the hub takes some GiB, and ${shortBytes(freeDisk)} are free; set HF_HOME to another disk`]
      : []),
  ];
  Object.assign(output.result, {
    tiller: version,
    node: process.versions.node,
    onnxruntime: await runtimeVersion(),
    system: `${os.platform()} ${os.arch()} ${os.release()}`,
    cpu: model,
    cores: os.availableParallelism(),
    memory,
    freeMemory: os.freemem(),
    devices,
    hubCache: cache,
    freeDisk,
    missing,
  });

  const rows = [
    ["Tiller", version],
    ["Node", process.versions.node],
    ["ONNX Runtime", await runtimeVersion()],
    ["system", `${os.platform()} ${os.arch()} ${os.release()}`],
    ["CPU", `${model}, ${os.availableParallelism()} threads`],
    ["memory", `${shortBytes(memory)}, ${shortBytes(Math.min(memory, os.freemem()))} free`],
    ["hub cache", `${cache}${freeDisk === undefined ? "" : `, ${shortBytes(freeDisk)} free`}`],
    ["", ""],
    ...devices.flatMap(({ name, ok, detail }) => [
      [name, ok ? detail : `not here: ${detail}`],
      ...(ok || name === "cpu" ? [] : [["", remedies[name]()]]),
    ]),
  ];
  output.say(printable(table(rows)));
  if (options.model !== undefined) await tellMemory(options.model, options, world, output);
  output.say(missing.length === 0 ? "\nNothing is missing." : `\nMissing\n${missing.map((m) => `  ${m}`).join("\n")}`);
}

/** Free bytes on the disk a folder is on, or will be on. */
async function freeBytes(folder: string): Promise<number | undefined> {
  let existing = folder;
  while (!existsSync(existing) && dirname(existing) !== existing) existing = dirname(existing);
  return statfs(existing).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => undefined,
  );
}
