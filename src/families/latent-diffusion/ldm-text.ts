/** The text encoder of an LDM single file, with Transformers' key names and config. */

import { rows, type TensorRef } from "../../bytes/tensor-ref.ts";
import { TillerError } from "../../errors/index.ts";
import type { Checkpoint } from "../../weights/checkpoint.ts";
import type { SplitComponent } from "../family.ts";
import { count, size } from "./ldm-shapes.ts";
import { presentClipKeys } from "./spelling.ts";

/** SD 1.x and SDXL: CLIP as Transformers saves it. @param ldm Keys without their prefix, `cond_stage_model.transformer.` in SD 1.x. */
export function ldmClip(ldm: Checkpoint, file: string): SplitComponent {
  return component(presentClipKeys(ldm), "quick_gelu", file);
}

const inBlock: Readonly<Record<string, string>> = {
  ln_1: "layer_norm1",
  ln_2: "layer_norm2",
  "attn.out_proj": "self_attn.out_proj",
  "mlp.c_fc": "mlp.fc1",
  "mlp.c_proj": "mlp.fc2",
};

const outer: Readonly<Record<string, string>> = {
  positional_embedding: "text_model.embeddings.position_embedding.weight",
  "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
  "ln_final.weight": "text_model.final_layer_norm.weight",
  "ln_final.bias": "text_model.final_layer_norm.bias",
};

/**
 * SD 2.x and SDXL: OpenCLIP. Queries, keys and values are stored as one matrix [3 width, width], which is split without copying.
 *
 * @param ldm Keys without their prefix, `cond_stage_model.model.` in SD 2.x.
 * @param layers `penultimate` in SD 2.x, whose U-Net was trained on that layer: the last one is dropped, as in Diffusers; files
 *   exported from a Diffusers folder already lack it and have 23.
 */
export function ldmOpenClip(ldm: Checkpoint, file: string, layers: "all" | "penultimate"): SplitComponent {
  const stored = count(ldm, "transformer.resblocks.#.ln_1.weight");
  const kept = layers === "all" || stored === 23 || stored < 2 ? stored : stored - 1;
  const weights = new Map<string, TensorRef>();
  for (const [key, ref] of ldm) {
    if (/^(text_projection|logit_scale|attn_mask)$/.test(key)) continue;
    const [, number, part, kind] = /^transformer\.resblocks\.(\d{1,3})\.(.+?)[._](weight|bias)$/.exec(key) ?? [];
    if (part === undefined) {
      if (outer[key] === undefined) throw foreignKey(file, ref);
      weights.set(outer[key], ref);
      continue;
    }
    if (Number(number) >= kept) continue;
    const at = `text_model.encoder.layers.${number}`;
    if (part === "attn.in_proj") {
      const width = (ref.shape[0] ?? 0) / 3;
      if (!Number.isInteger(width) || width === 0) throw foreignKey(file, ref);
      ["q_proj", "k_proj", "v_proj"].forEach((name, i) => {
        weights.set(`${at}.self_attn.${name}.${kind}`, rows(ref, i * width, (i + 1) * width));
      });
    } else if (inBlock[part] !== undefined) weights.set(`${at}.${inBlock[part]}.${kind}`, ref);
    else throw foreignKey(file, ref);
  }
  return component(weights, "gelu", file);
}

/** Both encoders have heads of size 64. Token ids are those of every CLIP text config, including the legacy end token 2. */
function component(weights: Checkpoint, activation: string, file: string): SplitComponent {
  const axis = (key: string, i: number) => size(weights, key, i, file);
  const width = axis("text_model.embeddings.token_embedding.weight", 1);
  const derived = {
    hidden_size: width,
    vocab_size: axis("text_model.embeddings.token_embedding.weight", 0),
    max_position_embeddings: axis("text_model.embeddings.position_embedding.weight", 0),
    num_hidden_layers: count(weights, "text_model.encoder.layers.#.layer_norm1.weight"),
    intermediate_size: axis("text_model.encoder.layers.0.mlp.fc1.weight", 0),
  };
  return {
    weights,
    derived,
    config: {
      architectures: ["CLIPTextModel"],
      model_type: "clip_text_model",
      ...derived,
      num_attention_heads: Math.max(1, Math.floor(width / 64)),
      hidden_act: activation,
      layer_norm_eps: 1e-5,
      bos_token_id: 0,
      eos_token_id: 2,
      pad_token_id: 1,
    },
  };
}

function foreignKey(file: string, ref: TensorRef): TillerError {
  return new TillerError(
    "tensor-shape",
    `${file} has ${ref.name} of shape [${ref.shape.join(", ")}], which no text encoder of Stable Diffusion has.`,
    { paths: [file] },
  );
}
