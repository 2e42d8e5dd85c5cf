import { rows } from "./row.ts";

export const requestErrors = rows({
  "option-missing": {
    kind: "usage",
    what: "An option that the command needs is missing.",
    why: "It has no default.",
    fix: "Add it; the command's `--help` has an example.",
  },
  "option-invalid": {
    kind: "usage",
    what: "An option's value cannot be used.",
    why: "It is empty, not a number, out of range, or not one of the choices.",
    fix: "Use a value that the message names.",
  },
  "setting-invalid": {
    kind: "usage",
    what: "A setting of a request cannot be used.",
    why: "It has the wrong type, is out of range, or has no meaning with the chosen method.",
    fix: "Use a value that the message names.",
  },
  "size-invalid": {
    kind: "usage",
    what: "A picture's width or height is not possible.",
    why: "Latents are smaller than the picture by a whole factor, 8 for Stable Diffusion.",
    fix: "Choose a multiple of the number that the message names.",
  },
  "image-missing": {
    kind: "usage",
    what: "A mask or a strength was given without a picture, or the model needs a picture.",
    why: "Both say what is done to a picture; inpainting models repaint a part of one.",
    fix: "Add the picture with `--image`.",
  },
  "mask-missing": {
    kind: "usage",
    what: "An inpainting model was given a picture without a mask.",
    why: "Its U-Net takes the mask, and the picture without the masked part, as further channels.",
    fix: "Add a mask with `--mask`: white is repainted. Without one, use a text-to-image model.",
  },
  "mask-size": {
    kind: "usage",
    what: "The mask does not have the picture's size.",
    why: "It says for each pixel of the picture whether it is repainted.",
    fix: "Make the mask as large as the picture, which its EXIF orientation may have turned.",
  },
  "seed-invalid": {
    kind: "usage",
    what: "A seed is not a whole number that can be represented exactly.",
    why: "Seeds lie between -(2^53 - 1) and 2^53 - 1, and each further picture has the next one.",
    fix: "Choose a smaller one, or fewer pictures.",
  },
  "steps-invalid": {
    kind: "usage",
    what: "The number of steps is not possible.",
    why: "The model was trained with 1,000 timesteps, and each can be visited once; from a picture, a small strength may leave no step.",
    fix: "Ask for fewer steps, or for more strength.",
  },
  "sampler-unknown": {
    kind: "usage",
    what: "There is no sampler of this name.",
    why: "Names are Tiller's, or the community's on `/sdapi`.",
    fix: "Choose one that the message names.",
  },
  "sampler-unsuited": {
    kind: "usage",
    what: "The sampler is not defined for the model's noise schedule.",
    why: "Flow models (SANA) add noise differently from Stable Diffusion, and a sampler may support only one of the two.",
    fix: "Use a sampler that the message names, or leave `--sampler` out for the model's default.",
  },
  "karras-unsupported": {
    kind: "usage",
    what: "Karras spacing was requested for a sampler that has none.",
    why: "DDIM and Euler a use the model's own timesteps.",
    fix: "Leave it out, or use a sampler that the message names.",
  },
  "guidance-unsuited": {
    kind: "usage",
    what: "The guidance method is not defined for the model.",
    why: "Subject-agnostic guidance needs learned tokens, which language models as text encoders (SANA's) do not take; editing models need a method with an image scale, and only they do.",
    fix: "Choose another `--guidance`; the message suggests some.",
  },
  "learned-token-missing": {
    kind: "usage",
    what: "The guidance method needs a learned token, and the prompt has none.",
    why: "`sag` and `sag-additive` compare the prompt with and without it.",
    fix: "Load a textual inversion or Custom Diffusion adapter and use its token in the prompt.",
  },
  "sweep-idle-axis": {
    kind: "usage",
    what: "A sweep varies a setting that none of its methods reads.",
    why: "All its pictures would be the same.",
    fix: "Add a method that reads it to `--guidance`.",
  },
  "too-many-pictures": {
    kind: "usage",
    what: "More pictures were asked for than one call makes.",
    why: "The limit is 10,000.",
    fix: "Split the work.",
  },
  "pipeline-busy": {
    kind: "usage",
    what: "A pipeline was changed, or used a second time, while it was drawing.",
    why: "Adapters and blended models are shared by the pictures under way.",
    fix: "Wait until the pictures are finished.",
  },
});
