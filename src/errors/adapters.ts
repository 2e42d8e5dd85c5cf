import { rows } from "./row.ts";

export const adapterErrors = rows({
  "adapter-other-model": {
    kind: "failed",
    what: "An adapter does not fit the model.",
    why: "It was trained for another base model, such as SD 2.1 instead of SD 1.5.",
    fix: "Give the base model it was trained on with `--model`; `tiller inspect FILE` shows what it was made for.",
  },
  "adapter-unsupported": {
    kind: "failed",
    what: "An adapter is of a kind that Tiller does not apply.",
    why: "It rotates weights (OFT, BOFT), is for a model that Tiller does not run, has unknown keys, or is not an adapter.",
    fix: "Merge it into a model first, with the tool that made it. docs/compatibility.md lists the kinds that Tiller applies.",
  },
  "adapter-damaged": {
    kind: "failed",
    what: "An adapter's tensors contradict each other, or are invalid.",
    why: "Half of a pair is missing, its ranks differ, a layer is changed twice, an alpha is below 0, or a token is blank.",
    fix: "Download or export it again.",
  },
  "adapter-not-finite": {
    kind: "failed",
    what: "An adapter holds NaN, infinity or numbers too large to compute with.",
    why: "Its training diverged, or its alpha is wrong.",
    fix: "Use an earlier checkpoint, or train again with a lower learning rate.",
  },
  "adapter-metadata": {
    kind: "failed",
    what: "An adapter's metadata cannot be read, or contradicts its tensors.",
    why: "Its PEFT or kohya settings were damaged or edited.",
    fix: "Export it again.",
  },
  "adapter-ambiguous": {
    kind: "failed",
    what: "A repository on the hub holds several adapters.",
    why: "None of its files has a usual name, so Tiller cannot tell which one is meant.",
    fix: "Name the file: `owner/name:file.safetensors`.",
  },
  "adapter-empty": {
    kind: "failed",
    what: "There is no adapter in the file or folder.",
    why: "It holds no tensors, or no file with an adapter's name.",
    fix: "Name the adapter's .safetensors file.",
  },
  "adapter-idle-site": {
    kind: "failed",
    what: "An adapter changes a layer that the network does not use.",
    why: "It was trained for a larger model of the same family.",
    fix: "Give the base model it was trained on with `--model`.",
  },
  "token-defined-twice": {
    kind: "usage",
    what: "Two adapters define the same token.",
    why: "A prompt could mean only one of them.",
    fix: "Use only one of the two.",
  },
});
