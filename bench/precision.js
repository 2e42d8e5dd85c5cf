/**
 * Number types: a CFG step with Tiller and with Diffusers, in float32 and bfloat16, on the same random weights of Stable
 * Diffusion 1.5's size, at 512x512 with a rank-4 LoRA.
 *
 *     npm run bench:precision -- [--python python3] [--model FOLDER] [--steps 5] [--rounds 1]
 *
 * The options are those of `npm run bench`; OpenVINO must be installed (`tiller openvino install`).
 */
import { readFileSync } from "node:fs";
import { compare, parseOptions, prepareModel } from "./paired.js";

const options = parseOptions(5);
await prepareModel(options);
compare(options, {
  cfg: {
    "Tiller float32": ["tiller-steps.js", [options.model, "cfg", "cpu", "float32", "exact"]],
    "Tiller bfloat16": ["tiller-steps.js", [options.model, "cfg", "openvino", "bfloat16", "exact"]],
    "averaged float32": ["tiller-steps.js", [options.model, "cfg", "cpu", "float32", "averaged"]],
    "averaged bfloat16": ["tiller-steps.js", [options.model, "cfg", "openvino", "bfloat16", "averaged"]],
    "Diffusers float32": ["diffusers_steps.py", [options.model, "cfg", "float32"]],
    "Diffusers bfloat16": ["diffusers_steps.py", [options.model, "cfg", "bfloat16"]],
  },
});
if (process.platform === "linux") {
  const [, flags = ""] = /^flags\s*:(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8")) ?? [];
  const telling = flags.split(" ").filter((flag) => /^(avx2|avx512f|avx512_bf16|avx512_vnni|amx_\w+)$/.test(flag));
  console.log(`\ninstruction sets: ${telling.join(", ")}`);
}
