/** How adapters for SDXL name what they change. */
import type { ClipTextConfig } from "../../models/clip-text.ts";
import { crossAttentions, type UNetConfig } from "../../models/unet.ts";
import type { AdapterNames, KeyPrefix } from "../family.ts";
import { flatNames } from "../latent-diffusion/flat-names.ts";

/** Key prefixes in adapter files. */
export const adapterPrefixes: readonly KeyPrefix[] = [
  { pattern: /^lora_unet_/, component: "unet", flat: true },
  { pattern: /^lora_te1_/, component: "text_encoder", flat: true },
  { pattern: /^lora_te2_/, component: "text_encoder_2", flat: true },
  { pattern: /^lycoris_/, flat: true },
  // ComfyUI's: LDM's names with dots, and the text encoders by their names in its models.
  { pattern: /^diffusion_model\./, component: "unet", flat: true },
  { pattern: /^text_encoders\.clip_l\.transformer\./, component: "text_encoder" },
  { pattern: /^text_encoders\.clip_g\.transformer\./, component: "text_encoder_2" },
  // Some of Diffusers' scripts write the U-Net's prefix twice, or PEFT's prefix after it.
  { pattern: /^(base_model\.model\.)?(unet\.){1,2}(base_model\.model\.)?/, component: "unet" },
  { pattern: /^(base_model\.model\.)?text_encoder_2\./, component: "text_encoder_2" },
  { pattern: /^(base_model\.model\.)?text_encoder\./, component: "text_encoder" },
  { pattern: /^base_model\.model\./ },
  { pattern: /^/ },
];

const attention = /\.attn[12]\.to_(q|k|v|out\.0)$/;
const clip = /\.(self_attn\.(q|k|v|out)_proj|mlp\.fc[12])$/;
const clipAttention = /\.self_attn\.(q|k|v|out)_proj$/;

export const adapterNames = (config: UNetConfig, { num_hidden_layers: layers }: ClipTextConfig): AdapterNames => ({
  usual: { unet: attention, text_encoder: clip, text_encoder_2: clip },
  trained: { unet: attention, text_encoder: clipAttention, text_encoder_2: clipAttention },
  // The last layer's states of the first encoder are not used.
  idle: { text_encoder: new RegExp(`^text_model\\.(encoder\\.layers\\.${layers - 1}|final_layer_norm)\\.`) },
  keysValues: { unet: crossAttentions(config).flatMap((path) => [`${path}.to_k.weight`, `${path}.to_v.weight`]) },
  prefixes: adapterPrefixes,
  flatNames: (_, modules) => flatNames(modules),
});
