/** How adapters for SANA name what they change. */
import { type SanaConfig, sanaCrossAttentions, sanaLinears } from "../../models/sana.ts";
import type { AdapterNames } from "../family.ts";

const component = "transformer";

export const adapterNames = (config: SanaConfig): AdapterNames => ({
  usual: { [component]: sanaLinears },
  // As in Diffusers' script: not the output projections.
  trained: { [component]: /\.attn[12]\.to_[qkv]$/ },
  keysValues: {
    [component]: sanaCrossAttentions(config).flatMap((path) => [`${path}.to_k.weight`, `${path}.to_v.weight`]),
  },
  prefixes: [
    { pattern: /^(base_model\.model\.)?transformer\./, component },
    { pattern: /^(base_model\.model|diffusion_model)\.(?=transformer_blocks\.)/, component },
    { pattern: /^lora_(transformer|unet)_/, component, flat: true },
    { pattern: /^/ },
  ],
  flatNames: (_, modules) => new Map([...modules].map((path) => [path.replaceAll(".", "_"), path])),
});
