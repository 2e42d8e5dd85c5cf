/** The GPU path on a software Vulkan device: SwiftShader from Debian's chromium. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { type PictureRequest, Pipeline } from "../src/index.ts";
import { fixture } from "./fixtures.ts";
import { skipped } from "./skipped.ts";

const driver = process.env.VK_ICD_FILENAMES ?? "/usr/lib/chromium/vk_swiftshader_icd.json";
const libraries = ["/usr/lib/x86_64-linux-gnu/libvulkan.so.1", "/usr/lib/aarch64-linux-gnu/libvulkan.so.1"];
const without = skipped(
  existsSync(driver) && libraries.some((file) => existsSync(file)),
  "the WebGPU device is not tested. It needs a Vulkan driver; on Debian: apt-get install chromium libvulkan1.",
);

const model = fixture("pipelines/sd15");
const prompt = "a red cat wearing a santa hat in the snow";
const cases: { adapters: string[]; request: PictureRequest }[] = [
  { adapters: [], request: { prompt, steps: 4, seed: 7 } },
  {
    adapters: [fixture("adapters/lora-peft.safetensors")],
    request: { prompt, steps: 4, seed: 7, guidance: "pg", omega: 0.6 },
  },
  {
    adapters: [fixture("adapters/lora-kohya.safetensors")],
    request: { prompt, steps: 2, seed: 7, width: 96, height: 48 },
  },
];

async function onCpu({ adapters, request }: (typeof cases)[number]): Promise<Uint8Array> {
  const pipeline = await Pipeline.load(model, { adapters, device: "cpu" });
  try {
    for await (const event of pipeline.generate(request)) if (event.type === "picture") return event.data;
    throw new Error("no picture came");
  } finally {
    await pipeline.close();
  }
}

interface Drawn {
  readonly ok: boolean;
  readonly detail: string;
  /** RGB bytes in base64. */
  readonly pictures: string[];
  readonly warnings: string[];
  /** Names of the operators that ran. */
  readonly operators: string[];
}

async function onWebGpu(icd: string, asked: typeof cases): Promise<Drawn> {
  const script = fileURLToPath(new URL("./webgpu-pictures.js", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [script, model, JSON.stringify(asked)], {
    // The loader prefers the newer name; either could be set in the environment.
    env: { ...process.env, VK_ICD_FILENAMES: icd, VK_DRIVER_FILES: icd },
    maxBuffer: 1 << 26,
  });
  return JSON.parse(stdout.trim().split("\n").at(-1)!) as Drawn;
}

test.skipIf(without)("WebGPU draws the CPU's pictures, with and without adapters", async () => {
  const { ok, detail, pictures, warnings, operators } = await onWebGpu(driver, cases);
  expect({ ok, detail }).toEqual({ ok: true, detail: expect.stringMatching(/^works/) });
  // If the provider's attention is wrong, it is not used and there is a warning; otherwise it is used without one.
  const wrong = detail.includes("attention is wrong");
  expect(warnings.filter((message) => message.includes("attention is wrong"))).toHaveLength(wrong ? 1 : 0);
  expect(operators.includes("MultiHeadAttention")).toBe(!wrong);
  for (const [i, one] of cases.entries()) {
    const expected = await onCpu(one);
    const found = Buffer.from(pictures[i]!, "base64");
    expect(found.length).toBe(expected.length);
    // GPU arithmetic rounds differently, mostly in sines of large angles: within 2/255 on all but a thousandth.
    const close = expected.filter((value, at) => Math.abs(value - found[at]!) <= 2).length;
    expect(close / expected.length).toBeGreaterThanOrEqual(0.999);
  }
});

// A Vulkan driver is only needed on Linux.
test.skipIf(process.platform !== "linux")("a missing GPU driver is reported", async () => {
  const { ok, detail } = await onWebGpu("/there/is/no/driver.json", []);
  expect({ ok, detail }).toEqual({ ok: false, detail: expect.stringMatching(/adapter/) });
});
