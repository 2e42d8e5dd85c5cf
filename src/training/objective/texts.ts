/** Training prompts as the denoising loss takes them. */

import type { ModelSource } from "../../families/model-source.ts";
import { clipText, clipTextConfig } from "../../models/clip-text.ts";
import { moduleOf } from "../../models/module.ts";
import { type Engine, float32, int32 } from "../../runtime/index.ts";
import { encodePrompt } from "../../text/prompts.ts";
import type { Tokenizer } from "../../text/tokenizer.ts";

const table = "text_model.embeddings.token_embedding.weight";

/** Embeddings the text encoder has of its own; learned ones count on from there. */
export const vocabularyOf = ({ textEncoder }: ModelSource): number => textEncoder.weights.get(table)!.shape[0]!;

export interface TrainingTexts {
  ids(prompt: string): readonly number[];
  /** The words of a prompt that do not fit, "" if all do. */
  dropped(prompt: string): string;
  /** Whether a learned token is among the words of a prompt that fit. */
  hasLearned(prompt: string): boolean;
  /** The position of the token that ends the prompt: the text encoder's state there stands for all of it. */
  end(prompt: string): number;
}

/** `learned` is the learned token and how many embeddings it has. */
export function trainingTexts(
  model: ModelSource,
  tokenizer: Tokenizer,
  learned: ReadonlyMap<string, number>,
): TrainingTexts {
  const length = clipTextConfig(model.textEncoder.config).max_position_embeddings;
  const firstLearned = vocabularyOf(model);
  const encode = (prompt: string) => encodePrompt(tokenizer, prompt, { length, learned, firstLearned });
  return {
    ids: (prompt) => encode(prompt).ids,
    dropped: (prompt) => encode(prompt).dropped,
    hasLearned: (prompt) => encode(prompt).ids.some((id) => id >= firstLearned),
    end: (prompt) => encode(prompt).ids.indexOf(tokenizer.end),
  };
}

/** The encodings [positions, width] of prompts that training does not change, computed once. */
export async function encodeTexts(
  engine: Engine,
  { textEncoder }: ModelSource,
  ids: ReadonlyMap<string, readonly number[]>,
): Promise<ReadonlyMap<string, Float32Array>> {
  const config = clipTextConfig(textEncoder.config);
  const session = await engine.compile("text encoder", clipText(moduleOf(textEncoder.weights), config));
  const encoded = new Map<string, Float32Array>();
  for (const [prompt, row] of ids) {
    const { text } = await session.run({
      ids: int32([1, row.length], [...row]),
      learned: float32([1, config.hidden_size], new Float32Array(config.hidden_size)),
    });
    encoded.set(prompt, text!.data as Float32Array);
  }
  await session.release();
  return encoded;
}
