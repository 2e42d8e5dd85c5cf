import { rows } from "./row.ts";

export const pictureErrors = rows({
  "picture-unreadable": {
    kind: "failed",
    what: "A picture cannot be read.",
    why: "The file is damaged, too large, or in an unsupported format (HEIC or a video, for example).",
    fix: "Save it again as JPEG or PNG, or remove it.",
  },
  "pictures-missing": {
    kind: "failed",
    what: "A folder of pictures is missing or has none.",
    why: "The path is wrong, or the pictures are in unsupported formats.",
    fix: "Give a folder of JPEG, PNG, WebP, AVIF, TIFF, BMP or GIF files.",
  },
  "recipe-missing": {
    kind: "failed",
    what: "A picture has no recipe.",
    why: "Tiller did not make it, or another program dropped the recipe when saving it.",
    fix: "Name an unmodified PNG from Tiller, or pass the settings as options.",
  },
  "recipe-invalid": {
    kind: "failed",
    what: "A picture's recipe cannot be used.",
    why: "It is damaged, or was written by a newer Tiller.",
    fix: "Update Tiller, or pass the settings as options.",
  },
  "picture-needed": {
    kind: "failed",
    what: "The picture that a recipe starts from is not there.",
    why: "A recipe holds the picture's hash and where it was, not the picture.",
    fix: "Give the picture again with `--image`, and its mask with `--mask`.",
  },
  "picture-changed": {
    kind: "failed",
    what: "The file of the picture that a recipe starts from holds another picture now.",
    why: "Its SHA-256 is not the one in the recipe.",
    fix: "Restore the file, or choose a picture with `--image` or `--mask`.",
  },
  "picture-not-finite": {
    kind: "failed",
    what: "Drawing produced values that are not finite, or too large to compute with.",
    why: "The guidance scale or an adapter's strength is too large.",
    fix: "Choose a smaller scale or strength.",
  },
  "photographs-on-dinghy": {
    kind: "usage",
    what: "Photographs were given to train dinghy on.",
    why: "dinghy is a toy that knows drawn pictures only: photographs come out as a smear.",
    fix: "Train with `--model stable-diffusion-v1-5/stable-diffusion-v1-5`; `--model dinghy` insists on dinghy.",
  },
});
