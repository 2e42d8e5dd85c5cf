/** A graph with int8 products, its weights quantised once and kept in the user's cache folder. */
import { cacheFolder, exists, join, makeFolder, stampOf, startHash } from "#bytes";
import { int8Weights, type Outputs, quantised, type TensorRef } from "../graph/index.ts";
import { int8Keys, openInt8, quantiseWeights } from "../weights/quantise.ts";

/** Version of how weights are checked, quantised and laid out; part of the cache key. */
const form = 2;

/**
 * Rewrites `outputs` for a target with int8 weights in -`reach`..`reach`.
 *
 * @throws TillerError if a weight cannot be read or the cache folder cannot be written.
 */
export async function inInt8(outputs: Outputs, reach: number): Promise<Outputs> {
  const weights = int8Weights(outputs);
  if (weights.length === 0) return outputs;
  const folder = join(cacheFolder(), "int8");
  await makeFolder(folder);
  const file = join(folder, `${await contentKey(weights, reach)}.safetensors`);
  const written = (await exists(file)) ? await openInt8(file) : await quantiseWeights(weights, file, reach);
  return quantised(outputs, (ref) => {
    const { weight, scale } = int8Keys(ref);
    return { weight: written.get(weight)!, scale: written.get(scale)! };
  });
}

/** A key made of the weights' files, their sizes and times, and each weight's offset. */
async function contentKey(weights: readonly TensorRef[], reach: number): Promise<string> {
  const hash = startHash();
  hash.update(`${form}|${reach}`);
  for (const file of new Set(weights.map(({ source }) => source.name))) hash.update(`|${file}|${await stampOf(file)}`);
  for (const { name, offset, shape } of weights) hash.update(`|${name}|${offset}|${shape}`);
  return (await hash.digest()).slice(0, 32);
}
