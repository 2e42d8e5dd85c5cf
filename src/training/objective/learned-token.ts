/** Where a learned token's embeddings start. */

import { readFloat32 } from "../../bytes/safetensors.ts";
import { UsageError } from "../../errors.ts";
import type { ModelSource } from "../../families/model-source.ts";
import { rows } from "../../graph/index.ts";
import { normalValues } from "../../random/streams.ts";
import { float32, type Tensor } from "../../runtime/index.ts";
import type { Tokenizer } from "../../text/tokenizer.ts";
import type { Initializer } from "../methods/index.ts";

/**
 * `vectors` embeddings [vectors, width]: each a word's (of several tokens, their mean), or normal values as widely spread as
 * the model's own table.
 *
 * @throws UsageError if the word has no tokens.
 */
export async function initialEmbeddings(
  { textEncoder }: ModelSource,
  tokenizer: Tokenizer,
  { vectors, initializer, noun, seed }: { vectors: number; initializer: Initializer; noun: string; seed: number },
): Promise<Tensor> {
  const table = textEncoder.weights.get("text_model.embeddings.token_embedding.weight")!;
  const width = table.shape[1]!;
  if (initializer === "random") {
    const all = await readFloat32(table);
    const deviation = standardDeviation(all);
    const noise = normalValues(seed, "embeddings", 0, vectors * width);
    return float32(
      [vectors, width],
      noise.map((v) => v * deviation),
    );
  }
  const word = initializer === "noun" ? noun : initializer.word;
  const ids = tokenizer.encode(word);
  if (ids.length === 0) throw new UsageError(`the initializer "${word}" is no word the text encoder knows`);
  const mean = new Float32Array(width);
  for (const id of ids) {
    const row = await readFloat32(rows(table, id, id + 1));
    for (let i = 0; i < width; i++) mean[i] = mean[i]! + row[i]! / ids.length;
  }
  const values = new Float32Array(vectors * width);
  for (let v = 0; v < vectors; v++) values.set(mean, v * width);
  return float32([vectors, width], values);
}

function standardDeviation(values: Float32Array): number {
  let [sum, squares] = [0, 0];
  for (const value of values) {
    sum += value;
    squares += value * value;
  }
  const mean = sum / values.length;
  return Math.sqrt(squares / values.length - mean * mean);
}
