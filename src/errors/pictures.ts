import { rows } from "./row.ts";

export const pictureErrors = rows({
  "picture-unreadable": {
    kind: "failed",
    what: "A picture cannot be read.",
    why: "The file is damaged, too large, or of a kind that is not read (HEIC or a video, for example).",
    fix: "Save it again as JPEG or PNG, or remove it.",
  },
  "pictures-missing": {
    kind: "failed",
    what: "A folder of pictures is missing or has none.",
    why: "The path is wrong, or the pictures are of kinds that are not read.",
    fix: "Give a folder of JPEG, PNG, WebP, AVIF, TIFF, BMP or GIF files.",
  },
  "recipe-missing": {
    kind: "failed",
    what: "A picture has no recipe.",
    why: "Tiller did not make it, or another program saved it again and dropped the recipe.",
    fix: "Name a PNG as Tiller wrote it, or pass the settings as options.",
  },
  "recipe-invalid": {
    kind: "failed",
    what: "A picture's recipe cannot be used.",
    why: "It is damaged, or a newer Tiller wrote it.",
    fix: "Update Tiller, or pass the settings as options.",
  },
  "picture-not-finite": {
    kind: "failed",
    what: "Drawing ended in numbers that are not finite, or too large to compute with.",
    why: "The guidance scale or an adapter's strength is too large.",
    fix: "Choose a smaller scale or strength.",
  },
  "photographs-on-dinghy": {
    kind: "usage",
    what: "Photographs were given to be learned on dinghy.",
    why: "dinghy is a toy that knows drawn pictures only: photographs end in a smear.",
    fix: "Train with `--model stable-diffusion-v1-5/stable-diffusion-v1-5`; `--model dinghy` insists on dinghy.",
  },
});
