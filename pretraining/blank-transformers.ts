/** The initial tensors of CLIP's two towers. */
import type { ClipTextConfig } from "../src/models/clip-text.ts";
import type { ClipVisionConfig } from "../src/models/clip-vision.ts";
import type { Tensor } from "../src/runtime/index.ts";
import { float32 } from "../src/runtime/index.ts";
import { type Blank, blank } from "./blank.ts";

export interface ClipShape {
  readonly text: ClipTextConfig;
  readonly vision: ClipVisionConfig;
  readonly projection: number;
}

export function blankClip({ text, vision, projection }: ClipShape, seed: number): Map<string, Tensor> {
  const to = blank(seed);
  to.normal("text_model.embeddings.token_embedding.weight", [text.vocab_size, text.hidden_size], 0.02);
  to.normal("text_model.embeddings.position_embedding.weight", [text.max_position_embeddings, text.hidden_size], 0.01);
  clipLayers(to, "text_model.encoder.layers", text.num_hidden_layers, text.hidden_size);
  to.norm("text_model.final_layer_norm", text.hidden_size);
  const { hidden_size: width, patch_size: patch, image_size: side } = vision;
  to.normal("vision_model.embeddings.class_embedding", [width], 0.02);
  to.normal(
    "vision_model.embeddings.patch_embedding.weight",
    [width, 3, patch, patch],
    1 / Math.sqrt(3 * patch * patch),
  );
  to.normal("vision_model.embeddings.position_embedding.weight", [(side / patch) ** 2 + 1, width], 0.02);
  to.norm("vision_model.pre_layrnorm", width);
  clipLayers(to, "vision_model.encoder.layers", vision.num_hidden_layers, width);
  to.norm("vision_model.post_layernorm", width);
  to.linear("text_projection", projection, text.hidden_size, { bias: false });
  to.linear("visual_projection", projection, width, { bias: false });
  to.tensors.set("logit_scale", float32([], [Math.log(1 / 0.07)]));
  return to.tensors;
}

function clipLayers(to: Blank, key: string, layers: number, width: number): void {
  for (let i = 0; i < layers; i++) {
    for (const name of ["q_proj", "k_proj", "v_proj", "out_proj"])
      to.linear(`${key}.${i}.self_attn.${name}`, width, width);
    to.linear(`${key}.${i}.mlp.fc1`, 4 * width, width);
    to.linear(`${key}.${i}.mlp.fc2`, width, 4 * width);
    to.norm(`${key}.${i}.layer_norm1`, width);
    to.norm(`${key}.${i}.layer_norm2`, width);
  }
}
