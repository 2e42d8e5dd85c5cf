/** Times two steps of a DreamBooth LoRA for bench/size.js; prints one JSON line. Forms: float32, float32-low, bfloat16 (OpenVINO). */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { modelMemory, train } from "../dist/index.js";
import { memoryNow, refuseTooLarge, sizeOptions, timesOf } from "./size-process.js";

const { folder: model, side, start, form } = sizeOptions();
const folder = await mkdtemp(join(tmpdir(), "tiller-bench-"));
await sharp({ create: { width: side, height: side, channels: 3, background: "teal" } })
  .png()
  .toFile(join(folder, "picture.png"));
const request = {
  ...{ model, images: folder, token: "sks", class: "cat", out: join(folder, "adapter.safetensors") },
  ...{ steps: 2, prior: false, resolution: side },
};
const low = form === "float32-low";
// The most memory in which the plan takes the low form.
let memory;
for (let gibibytes = 64; low && gibibytes >= 1 && memory === undefined; gibibytes--) {
  if (
    (await modelMemory(model, { device: "cpu", precision: "float32", memory: gibibytes * 2 ** 30 })).training.lowMemory
  )
    memory = gibibytes * 2 ** 30;
}
const device = form === "bfloat16" ? "openvino" : "cpu";
const options = { device, precision: low ? "float32" : form, memory };
const done = [];
let plan;
let loss;
for await (const event of train("dreambooth", request, options)) {
  if (event.type === "plan") {
    plan = event.plan;
    if (low && !plan.lowMemory) throw new Error("left out: no size of memory takes the low form");
    refuseTooLarge(plan.bytes);
  }
  if (event.type === "step") {
    done.push(Date.now() / 1000 - start);
    loss = event.loss;
  }
}
console.log(JSON.stringify({ ...timesOf(done), ...memoryNow(), plan, loss }));
await rm(folder, { recursive: true });
