/**
 * A DreamBooth-LoRA step with Tiller and with Diffusers, on the same random weights of Stable Diffusion 1.5's size: 512x512,
 * batch 1, rank 4, no class images.
 *
 *     npm run bench:training -- [--python python3] [--model FOLDER] [--steps 5] [--rounds 1]
 *
 * The options are those of `npm run bench`. Diffusers runs like its script train_dreambooth_lora.py, without and with gradient
 * checkpointing, and with picture and prompt encoded once, in float32 and in bfloat16. OpenVINO must be installed (`tiller openvino install`).
 */
import { compare, parseOptions, prepareModel } from "./paired.js";

const options = parseOptions(5);
await prepareModel(options);
compare(options, {
  training: {
    "Tiller float32": ["tiller-training.js", [options.model, "cpu", "float32"]],
    "Tiller bfloat16": ["tiller-training.js", [options.model, "openvino", "bfloat16"]],
    "Diffusers, checkpointed": ["diffusers_training.py", [options.model, "checkpointed"]],
    Diffusers: ["diffusers_training.py", [options.model, "plain"]],
    "Diffusers float32, cached": ["diffusers_training.py", [options.model, "cached"]],
    "Diffusers bfloat16, cached": ["diffusers_training.py", [options.model, "cached-bfloat16"]],
  },
});
