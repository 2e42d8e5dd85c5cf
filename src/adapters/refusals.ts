/** Adapters Tiller knows but does not run, told by a key. */
const telling: readonly (readonly [RegExp, string])[] = [
  [/lora_magnitude_vector|dora_scale/, "a DoRA adapter"],
  [/\.hada_w/, "a LoHa adapter"],
  [/\.lokr_w/, "a LoKr adapter"],
  [/\.lora_mid\./, "a LoCon adapter in Tucker form"],
  [/\.on_input$/, "an IA3 adapter"],
  [/\.oft_(blocks|diag)/, "an OFT adapter"],
  [/^lora_.+\.diff(_b)?$/, "a LyCORIS adapter of whole differences"],
  [
    /^lora_te2_|^text_encoder_2\.|_transformer_blocks_[1-9]\d*_|\.transformer_blocks\.[1-9]\d*\./,
    "a LoRA for Stable Diffusion XL",
  ],
  [
    /^(transformer|base_model\.model\.transformer)\.|^lora_transformer_|double_blocks|joint_blocks/,
    "a LoRA for a diffusion transformer (SANA, SD 3, Flux)",
  ],
];

/** What a file is, if it is one of these. */
export function nameUnread(keys: Iterable<string>): string | undefined {
  for (const key of keys) for (const [pattern, what] of telling) if (pattern.test(key)) return what;
  return undefined;
}
