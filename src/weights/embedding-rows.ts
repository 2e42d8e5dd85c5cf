/** Reads single rows of an embedding table from its file: a large vocabulary's takes gigabytes, of which a prompt needs kilobytes. */

import { readWeight } from "../bytes/refuse-not-finite.ts";
import { rows } from "../bytes/tensor-ref.ts";
import { TillerError } from "../errors/index.ts";
import type { Checkpoint } from "./checkpoint.ts";

/**
 * The rows `ids` of the table `key` [vocabulary, width], as float32 [ids, width]. The rest of the table is not read.
 *
 * @throws TillerError if there is no such table, or an id is outside it.
 */
export async function embeddingRows(weights: Checkpoint, key: string, ids: readonly number[]): Promise<Float32Array> {
  const table = weights.get(key);
  if (!table) {
    throw new TillerError("tensor-missing", `the checkpoint has no tensor ${key}: is its config.json another model's?`);
  }
  const [vocabulary, width] = table.shape as [number, number];
  const found = new Map<number, Float32Array>();
  const result = new Float32Array(ids.length * width);
  for (const [i, id] of ids.entries()) {
    if (!(id >= 0 && id < vocabulary)) {
      throw new TillerError(
        "tokenizer-invalid",
        `the tokenizer gives token ${id}, but the text encoder in ${table.source.name} has ${vocabulary} embeddings; ` +
          "use the tokenizer that belongs to the text encoder.",
        { paths: [table.source.name] },
      );
    }
    const row = found.get(id) ?? (await readWeight(rows(table, id, id + 1)));
    found.set(id, row);
    result.set(row, i * width);
  }
  return result;
}
