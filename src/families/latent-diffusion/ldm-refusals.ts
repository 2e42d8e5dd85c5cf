/** Names files that are mistaken for Stable Diffusion 1.x or 2.x checkpoints, recognised by a key. */
import type { Checkpoint } from "../../weights/checkpoint.ts";

const telling: readonly (readonly [RegExp, string])[] = [
  [/^conditioner\.embedders\.1\./, "a Stable Diffusion XL checkpoint"],
  [/^conditioner\.embedders\.0\.model\./, "a Stable Diffusion XL refiner"],
  [/^(model\.diffusion_model\.)?joint_blocks\./, "a Stable Diffusion 3 checkpoint"],
  [/^(model\.diffusion_model\.)?double_blocks\./, "a Flux checkpoint"],
  [/^(model\.diffusion_model\.)?double_layers\./, "an AuraFlow checkpoint"],
  [/^(model\.diffusion_model\.)?transformer_blocks\./, "a diffusion transformer"],
  [
    /^(model\.diffusion_model\.)?blocks\.\d+\.cross_attn\.q_linear\./,
    "a SANA or PixArt transformer in its original form",
  ],
  [/^(clip_txt_mapper|down_blocks\.\d+\.\d+\.channelwise)\./, "a Stable Cascade checkpoint"],
  [/^control_model\.|^controlnet_/, "a ControlNet"],
  [/motion_modules\./, "an AnimateDiff motion module"],
  [
    /^lora_(unet|te)|\.lora(_[AB]|_down|_up|\.down|\.up)?\.|_lora\.(down|up)\./,
    "a LoRA adapter; pass it with --adapter",
  ],
  [/custom_diffusion/, "a Custom Diffusion adapter; pass it with --adapter"],
  [/^(emb_params|string_to_param|<.*>)/, "a textual-inversion embedding; pass it with --adapter"],
  [
    /^(down_blocks|mid_block)\./,
    "only a U-Net, with Diffusers' key names; pass the folder that has its model_index.json",
  ],
  [/^(encoder|decoder)\./, "only an autoencoder"],
  [/^text_model\./, "only a text encoder"],
];

/** What a file without an LDM U-Net is, if its keys show it: "… is <what>". */
export function nameForeign(checkpoint: Checkpoint): string | undefined {
  for (const [pattern, what] of telling) {
    for (const key of checkpoint.keys()) if (pattern.test(key)) return what;
  }
  return undefined;
}

/** What a file with LDM keys but without an LDM U-Net is. */
export function nameLonePart(checkpoint: Checkpoint): string | undefined {
  const has = (prefix: string) => [...checkpoint.keys()].some((key) => key.startsWith(prefix));
  if (has("first_stage_model.") || has("vae.")) return "an autoencoder alone";
  return has("cond_stage_model.") ? "a text encoder alone" : undefined;
}

/**
 * The task of an LDM checkpoint that is not text-to-image, recognised by its U-Net.
 *
 * @param unet Keys without `model.diffusion_model.`.
 */
export function nameOtherTask(unet: Checkpoint): string | undefined {
  const tasks: Readonly<Record<number, string>> = {
    5: "a depth-to-image model",
    7: "an upscaler",
    8: "an InstructPix2Pix editing model",
    9: "an inpainting model",
  };
  const channels = unet.get("input_blocks.0.0.weight")?.shape[1];
  if (channels !== undefined && tasks[channels]) return `${tasks[channels]} (its U-Net takes ${channels} channels)`;
  if (unet.has("label_emb.0.0.weight")) return "a model with a second condition (SD XL, or SD 2.1 unCLIP)";
  if (unet.has("label_emb.weight")) return "a class-conditional model or an upscaler";
  return undefined;
}
