import { rows } from "./row.ts";

export const modelErrors = rows({
  "model-not-found": {
    kind: "failed",
    what: "There is no model under this name.",
    why: "It is neither a folder with a model_index.json, nor a .safetensors or .ckpt file, nor a hub id, nor `dinghy`.",
    fix: "Give a Diffusers folder, a single-file checkpoint or an id of the form owner/name.",
  },
  "model-unsupported": {
    kind: "failed",
    what: "The model is of a kind that Tiller does not run.",
    why: "It belongs to another family, or to another task such as upscaling.",
    fix: "Use a text-to-image or inpainting model of a family the message names.",
  },
  "model-incomplete": {
    kind: "failed",
    what: "Part of a model is missing.",
    why: "A shard was not downloaded, or the file holds only a U-Net.",
    fix: "Download the whole model.",
  },
  "index-invalid": {
    kind: "failed",
    what: "The index of a sharded checkpoint cannot be used.",
    why: "It names files outside its folder, or nothing at all.",
    fix: "Download the index again.",
  },
  "weights-missing": {
    kind: "failed",
    what: "A folder holds no weights.",
    why: "Only its configs were downloaded, or its weights are in another format.",
    fix: "Download the safetensors weights, or convert the model.",
  },
  "variant-missing": {
    kind: "failed",
    what: "There are no weights of the requested variant.",
    why: "`--variant fp16` chooses files such as `model.fp16.safetensors`, and there are none, or there are only those.",
    fix: "Leave out `--variant`, or name one that the model has.",
  },
  "config-idle": {
    kind: "usage",
    what: "`--config` was given with a model folder.",
    why: "A folder has its own configs; `--config` is for single files.",
    fix: "Leave out `--config`.",
  },
  "config-missing": {
    kind: "failed",
    what: "The folder or id given with `--config` cannot be used.",
    why: "It is neither a Diffusers folder nor a hub id.",
    fix: "Give the folder of the model that the file was made from.",
  },
  "config-mismatch": {
    kind: "failed",
    what: "`--config` and the file's tensors disagree.",
    why: "The configs are another model's.",
    fix: "Give the folder of the model that the file was made from.",
  },
  "config-unsupported": {
    kind: "failed",
    what: "A network's config.json asks for something that Tiller does not support.",
    why: "The architecture differs from what Tiller runs.",
    fix: "Use another model; the message names the key.",
  },
  "scheduler-unsupported": {
    kind: "failed",
    what: "The scheduler config asks for something that the sampler does not support.",
    why: "Its keys contradict each other, or another sampler is needed.",
    fix: "Correct the key that the message names, or choose another `--sampler`.",
  },
  "tokenizer-missing": {
    kind: "failed",
    what: "No tokenizer was found for the model.",
    why: "Single files hold none, and the usual one could not be fetched.",
    fix: "Pass `--config FOLDER` with a Diffusers folder that has a tokenizer.",
  },
  "tokenizer-invalid": {
    kind: "failed",
    what: "A tokenizer cannot be used.",
    why: "It is not the text encoder's, or its files are damaged.",
    fix: "Download the model's tokenizer folder again.",
  },
  "clip-skip-too-large": {
    kind: "failed",
    what: "`--clip-skip` leaves no layer of the text encoder.",
    why: "The text encoder has fewer layers.",
    fix: "Choose a smaller number; 1 or 2 is usual.",
  },
  "models-differ": {
    kind: "failed",
    what: "`--model` and `--base` do not belong together.",
    why: "The fine-tuned model and its base must have the same tensors.",
    fix: "Give the model that the fine-tune started from.",
  },
});
