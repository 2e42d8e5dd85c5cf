/**
 * Identifies adapter tensors by the ends of their keys: one table for reading, refusing and describing files.
 *
 * The first matching row counts.
 */

/** What a tensor does to its module; tensors of {@link refusedKinds} have no role. */
export type Role =
  | "down"
  | "up"
  | "mid"
  | "up bias"
  | "alpha"
  | "magnitude"
  | "hada_w1_a"
  | "hada_w1_b"
  | "hada_w2_a"
  | "hada_w2_b"
  | "hada_t1"
  | "hada_t2"
  | "lokr_w1"
  | "lokr_w1_a"
  | "lokr_w1_b"
  | "lokr_w2"
  | "lokr_w2_a"
  | "lokr_w2_b"
  | "lokr_t2"
  | "a1"
  | "a2"
  | "b1"
  | "b2"
  | "bm"
  | "ia3"
  | "ia3 side"
  | "diff"
  | "diff_b"
  | "whole"
  | "whole bias"
  | "w_norm"
  | "b_norm";

export type Spelling = "peft" | "diffusers" | "diffusers-old" | "kohya";

/** Display names of the kinds of change; a file may hold several. */
export type KindName =
  | "LoRA"
  | "LoCon"
  | "DoRA"
  | "LoHa"
  | "LoKr"
  | "GLoRA"
  | "IA3"
  | "full differences"
  | "trained norms"
  | "whole modules"
  | "OFT"
  | "BOFT"
  | "AdaLoRA"
  | "VeRA"
  | "MiSS"
  | "HRA"
  | "FourierFT"
  | "WaveFT"
  | "C3A"
  | "RoAd"
  | "SHiRA"
  | "VB-LoRA"
  | "RandLoRA"
  | "DeLoRA"
  | "GraLoRA"
  | "HiRA"
  | "Poly"
  | "trainable tokens"
  | "prompt tuning"
  | "LoRA of an embedding table"
  | "T-LoRA"
  | "DyLoRA"
  | "SVDiff";

export interface KeyEnd {
  readonly pattern: RegExp;
  readonly role: Role | undefined;
  readonly kind: KindName | undefined;
  readonly spelling: Spelling;
}

const row = (pattern: RegExp, role: Role, kind: KindName | undefined, spelling: Spelling): KeyEnd => ({
  pattern,
  role,
  kind,
  spelling,
});
/** LyCORIS and PEFT spell these alike. */
const product = (name: Role, kind: KindName): KeyEnd => row(new RegExp(`\\.${name}(\\.\\w+)?$`), name, kind, "kohya");
const refused = (pattern: RegExp, kind: KindName): KeyEnd => ({ pattern, role: undefined, kind, spelling: "peft" });

export const keyEnds: readonly KeyEnd[] = [
  row(/\.lora_A(\.[^.]+)?\.weight$/, "down", "LoRA", "peft"),
  row(/\.lora_B(\.[^.]+)?\.weight$/, "up", "LoRA", "peft"),
  row(/\.lora_B(\.[^.]+)?\.bias$/, "up bias", "LoRA", "peft"),
  row(/\.lora_magnitude_vector(\.[^.]+)?(\.weight)?$/, "magnitude", "DoRA", "peft"),
  row(/\.lora_down\.weight$/, "down", "LoRA", "kohya"),
  row(/\.lora_up\.weight$/, "up", "LoRA", "kohya"),
  row(/\.lora_mid\.weight$/, "mid", "LoCon", "kohya"),
  row(/\.(lora|lora_linear_layer)\.down\.weight$/, "down", "LoRA", "diffusers"),
  row(/\.(lora|lora_linear_layer)\.up\.weight$/, "up", "LoRA", "diffusers"),
  row(/_lora\.down\.weight$/, "down", "LoRA", "diffusers-old"),
  row(/_lora\.up\.weight$/, "up", "LoRA", "diffusers-old"),
  row(/\.dora_scale$/, "magnitude", "DoRA", "kohya"),
  row(/(_lora|\.lora|\.lora_linear_layer)?\.alpha$/, "alpha", undefined, "kohya"),
  product("hada_w1_a", "LoHa"),
  product("hada_w1_b", "LoHa"),
  product("hada_w2_a", "LoHa"),
  product("hada_w2_b", "LoHa"),
  product("hada_t1", "LoHa"),
  product("hada_t2", "LoHa"),
  product("lokr_w1", "LoKr"),
  product("lokr_w1_a", "LoKr"),
  product("lokr_w1_b", "LoKr"),
  product("lokr_w2", "LoKr"),
  product("lokr_w2_a", "LoKr"),
  product("lokr_w2_b", "LoKr"),
  product("lokr_t2", "LoKr"),
  row(/\.a1\.weight$/, "a1", "GLoRA", "kohya"),
  row(/\.a2\.weight$/, "a2", "GLoRA", "kohya"),
  row(/\.b1\.weight$/, "b1", "GLoRA", "kohya"),
  row(/\.b2\.weight$/, "b2", "GLoRA", "kohya"),
  row(/\.bm\.weight$/, "bm", "GLoRA", "kohya"),
  row(/\.ia3_l(\.\w+)?$/, "ia3", "IA3", "peft"),
  row(/(?<=^(?:lora|lycoris)_[^.]+)\.weight$/, "ia3", "IA3", "kohya"),
  row(/\.on_input$/, "ia3 side", "IA3", "kohya"),
  row(/\.diff$/, "diff", "full differences", "kohya"),
  row(/\.diff_b$/, "diff_b", "full differences", "kohya"),
  row(/\.w_norm$/, "w_norm", "trained norms", "kohya"),
  row(/\.b_norm$/, "b_norm", "trained norms", "kohya"),
  refused(/\.oft_(blocks|diag|R|s)(\.\w+)?$/i, "OFT"),
  refused(/\.boft_[RS](\.\w+)?(\.weight)?$/i, "BOFT"),
  // PEFT's other methods, by the prefixes of their parameter names.
  refused(/\.lora_E(\.\w+)?$/, "AdaLoRA"),
  refused(/\.vera_lambda_[bd](\.\w+)?$/, "VeRA"),
  refused(/\.(bone|miss)_block(\.\w+)?$/, "MiSS"),
  refused(/\.hra_u(\.\w+)?$/, "HRA"),
  refused(/\.fourierft_spectrum(\.\w+)?$/, "FourierFT"),
  refused(/\.waveft_spectrum(\.\w+)?$/, "WaveFT"),
  refused(/\.c3a_kernel(\.\w+)?$/, "C3A"),
  refused(/\.road_(theta|alpha)(\.\w+)?$/, "RoAd"),
  refused(/\.shira_weight(\.\w+)?$/, "SHiRA"),
  refused(/(\.|^)vblora_\w+(\.\w+)?$/, "VB-LoRA"),
  refused(/(\.|^)randlora_\w+(\.\w+)?$/, "RandLoRA"),
  refused(/\.delora_\w+(\.\w+)?(\.weight)?$/, "DeLoRA"),
  refused(/\.gralora_[AB](\.\w+)?(\.\d+)?$/, "GraLoRA"),
  refused(/\.hira_[AB](\.\w+)?(\.weight)?$/, "HiRA"),
  refused(/\.poly_lora_[AB](\.\w+)?$/, "Poly"),
  refused(/\.trainable_tokens_delta(\.\w+)?$/, "trainable tokens"),
  refused(/(\.|^)prompt_embeddings$/, "prompt tuning"),
  refused(/\.lora_embedding_[AB](\.\w+)?$/, "LoRA of an embedding table"),
  // LyCORIS, sd-scripts and other trainers.
  refused(/\.(q_layer|p_layer)\.weight$|\.(base_)?lambda(_layer)?$/, "T-LoRA"),
  refused(/\.lora_[AB]\.\d+$/, "DyLoRA"),
  refused(/\.delta$/, "SVDiff"),
  // PEFT's modules_to_save, and its trained biases: for a layer that also has a LoRA they are under base_layer.
  row(/(?<=^base_model\.model\..*)(\.modules_to_save|\.ln_tuning_layers)?\.weight$/, "whole", "whole modules", "peft"),
  row(
    /(?<=^base_model\.model\..*)(\.modules_to_save|\.ln_tuning_layers|\.base_layer)?\.bias$/,
    "whole bias",
    "whole modules",
    "peft",
  ),
];

export const keyEndOf = (key: string): KeyEnd | undefined => keyEnds.find(({ pattern }) => pattern.test(key));

/** The kinds among a file's keys, without duplicates, in table order. */
export function kindsIn(keys: Iterable<string>): KindName[] {
  const found = new Set<KindName | undefined>();
  for (const key of keys) found.add(keyEndOf(key)?.kind);
  return [...new Set(keyEnds.map(({ kind }) => kind))].filter(
    (kind) => kind !== undefined && found.has(kind),
  ) as KindName[];
}

/** Kinds of change that Tiller recognises but does not apply. */
export const refusedKinds: ReadonlySet<KindName> = new Set(
  keyEnds.filter(({ role }) => role === undefined).map(({ kind }) => kind!),
);

/** "a LoRA", "an OFT adapter", for sentences. */
export function called(kind: KindName): string {
  if (kind === "LoRA" || kind === "DoRA" || kind === "LoHa" || kind === "LoKr" || kind === "GLoRA" || kind === "LoCon")
    return `a ${kind}`;
  if (/^(full differences|trained norms|whole modules|trainable tokens|prompt tuning)$/.test(kind))
    return `an adapter of ${kind}`;
  if (kind === "LoRA of an embedding table") return `a ${kind}`;
  return `${/^(A|E|I|O|HRA|SVD)/.test(kind) ? "an" : "a"} ${kind} adapter`;
}

/** Embeddings of trigger words bundled into a LoRA by kohya, OneTrainer and A1111: `bundle_emb.NAME.emb_params`. */
export function bundledEmbedding(key: string): { token: string; tensor: string } | undefined {
  const [, token, tensor] = /^bundle_emb\.([^.]+)\.(.+)$/.exec(key) ?? [];
  return token === undefined ? undefined : { token, tensor: tensor! };
}

/** Module names of models that Tiller does not run; the first matching row counts. */
const foreign: readonly (readonly [RegExp, string])[] = [
  [/txt_in[._]individual_token_refiner|token_refiner/, "HunyuanVideo"],
  [/(double|single)_stream_blocks/, "HiDream"],
  [/(img|txt)_mod[._]1|transformer_blocks[._]\d+[._](img|txt)_mlp/, "Qwen-Image"],
  [/double_layers[._]|single_layers[._]|joint_transformer_blocks/, "AuraFlow"],
  [/distilled_guidance_layer/, "Chroma"],
  [/double_blocks[._]|single_blocks[._]|single_transformer_blocks[._]/, "Flux"],
  [/joint_blocks[._]|^lora_te3_|^text_encoder_3\./, "Stable Diffusion 3"],
  [/transformer_blocks[._](3[89]|[45]\d)[._]attn[._]/, "Qwen-Image"],
  [/transformer_blocks[._]\d+[._](attn[._](add_|to_add)|attn2?[._]add_)|context_embedder/, "Stable Diffusion 3"],
  [
    /blocks[._]\d+[._]cross_attn[._](q_linear|kv_linear)|mlp[._](inverted|depth|point)_conv/,
    "SANA with its authors' layer names",
  ],
  [/(^|[._])blocks[._]\d+[._](self_attn|cross_attn)[._](q|k|v|output)_proj/, "Cosmos-Predict2 or Anima"],
  [/(^|[._])blocks[._]\d+[._](self_attn|cross_attn|ffn)[._]|transformer\.blocks\.\d+\.attn[12]\./, "Wan"],
  [/(noise|context)_refiner|(^|\.)layers\.\d+\.attention\.|^lora_unet_layers_\d+_attention_/, "Z-Image or Lumina"],
  [/^lora_prior_|channelwise/, "Stable Cascade"],
  [/motion_modules/, "AnimateDiff"],
  [/temporal_transformer_blocks/, "Stable Video Diffusion"],
];

/** Module names that only one of the families that Tiller runs has, with the versions that they show. */
const own: readonly (readonly [RegExp, family: string, versions: string])[] = [
  [
    /^lora_te2_|^text_encoder_2\.|^text_encoders\.clip_g\.|(attentions|blocks?)[._]\d+[._](\d+[._])?transformer_blocks[._][1-9]\d*[._]|add_embedding|label_emb/,
    "Stable Diffusion XL",
    "Stable Diffusion XL",
  ],
  [
    /^lora_te_|(down_blocks[._]0[._]|input_blocks[._][12][._]1[._]|up_blocks[._]3[._])(attentions|transformer_blocks|proj_)|down_blocks[._]3[._]resnets|(in|out)put_blocks[._](9|1\d)[._]/,
    "Stable Diffusion",
    "Stable Diffusion 1.x or 2.x",
  ],
];

/** The model that the keys are for, if they show it. */
export function foreignModel(keys: Iterable<string>): string | undefined {
  const all = [...keys];
  return foreign.find(([pattern]) => all.some((key) => pattern.test(key)))?.[1];
}

/** The family that the keys are for, if they show it and Tiller runs it, with its versions. */
export function familyByNames(keys: Iterable<string>): { family: string; versions: string } | undefined {
  const all = [...keys];
  const found = own.find(([pattern]) => all.some((key) => pattern.test(key)));
  return found && { family: found[1], versions: found[2] };
}

/** The base models with text features of this width. */
export function familyByWidth(width: number | undefined): string | undefined {
  return {
    768: "Stable Diffusion 1.x",
    1024: "Stable Diffusion 2.x",
    1152: "SANA 0.6B or PixArt",
    2048: "Stable Diffusion XL",
    2240: "SANA 1.6B or 4.8B",
  }[width ?? 0];
}

/** Files mistaken for adapters, recognised by a key. */
const others: readonly (readonly [RegExp, string])[] = [
  [/^control_model\.|^controlnet_|input_hint_block/, "a ControlNet, which Tiller does not run"],
  [/^lllite_/, "a ControlNet-LLLite, which Tiller does not run"],
  [/^(image_proj|ip_adapter)\./, "an IP-Adapter, which Tiller does not run"],
  [/^(adapter\.(body|conv_in)|body\.\d+\.(in_conv|block\d|resnets))\./, "a T2I-Adapter, which Tiller does not run"],
  [
    /^(unet|text_encoder):\d+:(up|down)$|^\d+$/,
    "a LoRA from cloneofsimo's lora, which numbers its layers: convert it to kohya's format",
  ],
  [/^(320|640|768|1024|1280|2048)\.\d\.linear\./, "a hypernetwork, which Tiller does not run"],
  [/\.RDB\d\.|\.rdb\d\./, "an upscaler, which Tiller does not run"],
  [/^model\.diffusion_model\./, "a whole checkpoint, not an adapter: pass it with --model"],
  [/^(first_stage_model|vae)\./, "an autoencoder, not an adapter"],
  [/^(cond_stage_model|conditioner)\./, "a text encoder, not an adapter"],
  [/^special_care_embeds$/, "a safety checker, not an adapter"],
  [
    /^(down_blocks|up_blocks|mid_block|conv_in|time_embedding)\..*\.?(weight|bias)$/,
    "a model's U-Net, not an adapter: pass the folder that has its model_index.json with --model",
  ],
  [/^(encoder|decoder)\.(conv_in|mid|down|up|layers\.\d+\.(weight|bias|conv)$)/, "an autoencoder, not an adapter"],
  [/^(text_model\.)?(encoder\.layers\.\d+|embeddings)\..*(weight|bias)$/, "a text encoder, not an adapter"],
  [/^vision_model\./, "an image encoder, not an adapter"],
];

/** What a file that is not an adapter is, if its keys show it: "a whole checkpoint, …". */
export function otherThing(keys: Iterable<string>): string | undefined {
  const all = [...keys];
  return others.find(([pattern]) => all.some((key) => pattern.test(key)))?.[1];
}
