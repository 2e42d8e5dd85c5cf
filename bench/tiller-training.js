/**
 * Times training steps of Tiller on one model, in a separate process; prints one JSON line.
 *
 *     node bench/tiller-training.js FOLDER DEVICE PRECISION STEPS START
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { train } from "../dist/index.js";

const [model, device, precision, steps, start] = process.argv.slice(2);
const folder = await mkdtemp(join(tmpdir(), "tiller-bench-"));
await sharp({ create: { width: 512, height: 512, channels: 3, background: "teal" } })
  .png()
  .toFile(join(folder, "picture.png"));
const request = {
  model,
  images: folder,
  token: "sks",
  class: "cat",
  out: join(folder, "adapter.safetensors"),
  steps: Number(steps),
  prior: false,
};
const done = [];
for await (const event of train("dreambooth", request, { device, precision })) {
  if (event.type === "step") done.push(Date.now() / 1000 - Number(start));
}
console.log(JSON.stringify({ done, peakBytes: process.resourceUsage().maxRSS * 1024 }));
await rm(folder, { recursive: true });
