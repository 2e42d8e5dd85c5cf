import { rows } from "./row.ts";

export const fileErrors = rows({
  "file-missing": {
    kind: "failed",
    what: "A file or folder does not exist.",
    why: "The name is misspelled, or relative to another folder than the one you are in.",
    fix: "Check the path that the message names.",
  },
  "file-unreadable": {
    kind: "failed",
    what: "A file cannot be read.",
    why: "Its permissions forbid it, it is a broken link, or it is a folder or a device.",
    fix: "Name a plain file, and check its permissions.",
  },
  "file-too-large": {
    kind: "failed",
    what: "A file is far larger than what it should hold.",
    why: "Another file has its name.",
    fix: "Check which file you named.",
  },
  "file-changed": {
    kind: "failed",
    what: "A file changed while it was being read.",
    why: "Another program is writing it, or a download has not finished.",
    fix: "Wait until it is complete and try again.",
  },
  "file-not-written": {
    kind: "failed",
    what: "A file could not be written.",
    why: "The disk is full or read-only, the folder is not yours, or something of another kind has the name.",
    fix: "Free space, or choose another place with `--out` (or `HF_HOME` for downloads).",
  },
  "json-invalid": {
    kind: "failed",
    what: "A file that should be JSON is not.",
    why: "It was cut short, edited by hand, or holds an error page in place of a download.",
    fix: "Correct it where the message says, or download it again.",
  },
  "json-unexpected": {
    kind: "failed",
    what: "A JSON file does not have the expected form.",
    why: "It belongs to another kind of model or program.",
    fix: "Check which file you named; the message says which key is wrong.",
  },
  "safetensors-invalid": {
    kind: "failed",
    what: "A file is not a safetensors file.",
    why: "It has the name but not the format: a Git LFS pointer or an error page, for example.",
    fix: "Download the real file.",
  },
  "safetensors-damaged": {
    kind: "failed",
    what: "A safetensors file is damaged.",
    why: "Its download stopped early, or its header contradicts its contents.",
    fix: "Download or export it again.",
  },
  "pickle-refused": {
    kind: "failed",
    what: "A file is a PyTorch pickle (`.ckpt`, `.pt`, `.bin`).",
    why: "A pickle can run any code when it is opened, so Tiller never opens one.",
    fix: "Convert it to safetensors, for example with `save_pretrained(..., safe_serialization=True)`.",
  },
  "dtype-unsupported": {
    kind: "failed",
    what: "A tensor has a number type that Tiller cannot compute with.",
    why: "The file is quantised, or holds integers where weights are expected.",
    fix: "Use the F16, BF16 or F32 version of the file.",
  },
  "tensor-missing": {
    kind: "failed",
    what: "A checkpoint lacks a tensor that its network needs.",
    why: "The file is incomplete, or its config.json is another model's.",
    fix: "Download the model again, config and weights together.",
  },
  "tensor-shape": {
    kind: "failed",
    what: "A tensor has a shape that no supported network has.",
    why: "The checkpoint is of another kind of model.",
    fix: "Use a Stable Diffusion 1.x or 2.x checkpoint.",
  },
  "not-finite": {
    kind: "failed",
    what: "A network's weights hold NaN, infinity or numbers too large to compute with.",
    why: "The file is damaged, or its training diverged; pictures made with it would be black or noise.",
    fix: "Use another version of the file. The message names the tensor.",
  },
});
