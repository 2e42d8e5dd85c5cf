/** The initial value of a learned token's embeddings. */

import { readWeight } from "../../bytes/refuse-not-finite.ts";
import type { TensorRef } from "../../bytes/tensor-ref.ts";
import { TillerError } from "../../errors/index.ts";
import type { Model } from "../../families/family.ts";
import { rows } from "../../graph/index.ts";
import { normalValues } from "../../random/streams.ts";
import { float32, type Tensor } from "../../runtime/index.ts";
import type { Tokenizer } from "../../text/tokenizer.ts";
import type { Initializer } from "../methods/index.ts";

export interface Initial {
  readonly vectors: number;
  readonly initializer: Initializer;
  readonly noun: string;
  readonly seed: number;
}

/**
 * For each embedding table of the text networks (by its input), `vectors` embeddings [vectors, width]: a word's (the mean, if it
 * has several tokens), or normal values with the table's own standard deviation.
 *
 * @throws TillerError if the word has no tokens.
 */
export async function initialEmbeddings(
  { components, text }: Pick<Model, "components" | "text">,
  tokenizer: Tokenizer,
  how: Initial,
): Promise<Readonly<Record<string, Tensor>>> {
  const tables: Record<string, Tensor> = {};
  for (const { component, key, input } of text.embeddings) {
    tables[input] = await initialTable(components.get(component)!.weights.get(key)!, tokenizer, how);
  }
  return tables;
}

async function initialTable(
  table: TensorRef,
  tokenizer: Tokenizer,
  { vectors, initializer, noun, seed }: Initial,
): Promise<Tensor> {
  const width = table.shape[1]!;
  if (initializer === "random") {
    const all = await readWeight(table);
    const deviation = standardDeviation(all);
    const noise = normalValues(seed, "embeddings", 0, vectors * width);
    return float32(
      [vectors, width],
      noise.map((v) => v * deviation),
    );
  }
  const word = initializer === "noun" ? noun : initializer.word;
  const ids = tokenizer.encode(word);
  if (ids.length === 0)
    throw new TillerError(
      "initializer-unknown",
      `the initializer "${word}" is not a word the text encoder knows: choose another.`,
    );
  const mean = new Float32Array(width);
  for (const id of ids) {
    const row = await readWeight(rows(table, id, id + 1));
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
