/** How Stable Diffusion adapters name what they change. */
import type { AdapterNames, KeyPrefix } from "../family.ts";
import { flatNames } from "../latent-diffusion/flat-names.ts";

/** Key prefixes in adapter files. */
export const adapterPrefixes: readonly KeyPrefix[] = [
  { pattern: /^lora_unet_/, component: "unet", flat: true },
  { pattern: /^lora_te1?_/, component: "text_encoder", flat: true },
  { pattern: /^lycoris_/, flat: true },
  // ComfyUI's: LDM's names with dots, and the text encoder by its position in the checkpoint.
  { pattern: /^diffusion_model\./, component: "unet", flat: true },
  { pattern: /^text_encoders\.clip_l\.transformer\./, component: "text_encoder" },
  // Some of Diffusers' scripts write the U-Net's prefix twice, or PEFT's prefix after it.
  { pattern: /^(base_model\.model\.)?(unet\.){1,2}(base_model\.model\.)?/, component: "unet" },
  { pattern: /^(base_model\.model\.)?text_encoder\./, component: "text_encoder" },
  { pattern: /^base_model\.model\.(?=text_model\.)/, component: "text_encoder" },
  { pattern: /^base_model\.model\./ },
  { pattern: /^(?=text_model\.)/, component: "text_encoder" },
  { pattern: /^/ },
];

/** @param crossAttentions Paths of the U-Net's cross-attentions. */
export const adapterNames = (crossAttentions: readonly string[]): AdapterNames => ({
  usual: {
    unet: /\.attn[12]\.to_(q|k|v|out\.0)$/,
    text_encoder: /\.(self_attn\.(q|k|v|out)_proj|mlp\.fc[12])$/,
  },
  trained: {
    unet: /\.attn[12]\.to_(q|k|v|out\.0)$/,
    text_encoder: /\.self_attn\.(q|k|v|out)_proj$/,
  },
  keysValues: { unet: crossAttentions.flatMap((path) => [`${path}.to_k.weight`, `${path}.to_v.weight`]) },
  prefixes: adapterPrefixes,
  flatNames: (_, modules) => flatNames(modules),
});
