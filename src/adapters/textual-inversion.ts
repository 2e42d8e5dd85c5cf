/** Learned token embeddings in their common forms. */
import { basename, extname } from "#bytes";
import type { TensorRef } from "../bytes/tensor-ref.ts";
import { TillerError } from "../errors.ts";
import { type Base, readFactor } from "./lora.ts";

/** Whether a file holds nothing but vectors: one key a token, or one of the community's fixed keys. */
export const isTextualInversion = (tensors: ReadonlyMap<string, TensorRef>): boolean =>
  tensors.size > 0 &&
  [...tensors].every(([key, { shape }]) => shape.length <= 2 && (!key.includes(".") || key.startsWith("<")));

/**
 * Tokens and their embeddings.
 *
 * Diffusers writes `{ "<cat>": [width] or [n, width] }`; its advanced training script `clip_l` [n, width], whose tokens are
 * `<s0>`, `<s1>`, …; the community `emb_params` [n, width], whose token is the file's name.
 *
 * @throws TillerError if a width is not the text encoder's.
 */
export async function readTextualInversion(
  file: string,
  tensors: ReadonlyMap<string, TensorRef>,
  { components, text }: Base,
): Promise<Map<string, Map<string, Float32Array[]>>> {
  const table = text.embeddings[0]!;
  const width = components.get(table.component)!.weights.get(table.key)!.shape[1]!;
  const tokens = new Map<string, Float32Array[]>();
  for (const [key, ref] of tensors) {
    if (key === "clip_g") throw new TillerError(`${file} is an embedding for Stable Diffusion XL (it has clip_g).`);
    const vectors = ref.shape.length === 1 ? 1 : ref.shape[0]!;
    if (ref.shape.at(-1) !== width || vectors === 0) {
      throw new TillerError(
        `${file} does not fit this model: ${key} is [${ref.shape.join(", ")}], but its text encoder's embeddings have width ${width}.`,
      );
    }
    const { data } = await readFactor(file, key, ref);
    const rows = Array.from({ length: vectors }, (_, i) => data.subarray(i * width, (i + 1) * width));
    if (key === table.fileKey) for (const [i, row] of rows.entries()) tokens.set(`<s${i}>`, [row]);
    else tokens.set(key === "emb_params" ? basename(file, extname(file)) : key, rows);
  }
  return new Map([[table.component, tokens]]);
}
