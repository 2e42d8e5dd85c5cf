/** The text side: one CLIP text encoder. */

import { TillerError } from "../../errors/index.ts";
import type { ClipTextConfig } from "../../models/clip-text.ts";
import { clipText } from "../../models/clip-text.ts";
import { recorded } from "../../models/recorded.ts";
import { encodePrompt } from "../../text/clip-prompt.ts";
import type { Component, EmbeddingTable, TextSide } from "../family.ts";

const component = "text_encoder";

/** The encoder's own embeddings, [vocabulary, width]. */
const table: EmbeddingTable = {
  component,
  key: "text_model.embeddings.token_embedding.weight",
  input: "learned",
  fileKey: "clip_l",
};

/** @param promptTokens The tokenizer config's limit, capped at the text encoder's positions. */
export function textSide(encoder: Component, config: ClipTextConfig, promptTokens?: number): TextSide {
  const positions = Math.min(promptTokens ?? Number.POSITIVE_INFINITY, config.max_position_embeddings);
  const firstLearned = encoder.weights.get(table.key)!.shape[0]!;
  return {
    positions,
    embeddings: [table],
    tokenize(tokenizer, prompt, learned) {
      const options = { length: positions, learned: learned.get(component), firstLearned };
      const { ids, dropped } = encodePrompt(tokenizer, prompt, options);
      return { inputs: { ids }, dropped };
    },
    hasLearned: ({ inputs }) => inputs.ids!.some((id) => id >= firstLearned),
    end: (tokenizer, { inputs }) => inputs.ids!.indexOf(tokenizer.end),
    graph(modules, { clipSkip = 0 } = {}) {
      if (clipSkip >= config.num_hidden_layers) {
        throw new TillerError(
          "clip-skip-too-large",
          `clip skip ${clipSkip} leaves no layer of the text encoder, which has ${config.num_hidden_layers}.`,
        );
      }
      return recorded("text encoder", () => clipText(modules(component), config, { clipSkip, positions }));
    },
  };
}
