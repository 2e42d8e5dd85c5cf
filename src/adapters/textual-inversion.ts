/** Learned token embeddings in their common forms. */
import { basename, extname } from "#bytes";
import type { TensorRef } from "../bytes/tensor-ref.ts";
import { TillerError } from "../errors/index.ts";
import { readFactor } from "./factor.ts";
import type { AdapterKind, Base } from "./kind.ts";

/** How the web UI's `.pt` files name their vectors, and what stands beside them: the token's id. */
const webUi = /^string_to_(param|token)\./;

/** Whether a file holds nothing but vectors: one key a token, or one of the community's fixed keys. */
export const isTextualInversion = (tensors: ReadonlyMap<string, TensorRef>): boolean =>
  tensors.size > 0 &&
  [...tensors].every(
    ([key, { shape }]) => shape.length <= 2 && (!key.includes(".") || key.startsWith("<") || webUi.test(key)),
  );

export const textualInversion: AdapterKind = {
  name: "textual inversion",
  recognises: ({ tensors }) => isTextualInversion(tensors),
  read: async ({ file, tensors }, base) => ({
    format: "textual-inversion",
    tokens: await readTextualInversion(file, tensors, base),
  }),
};

/**
 * Tokens and their embeddings.
 *
 * Diffusers writes `{ "<cat>": [width] or [n, width] }`; its advanced training script `clip_l` [n, width], whose tokens are
 * `<s0>`, `<s1>`, …; the community `emb_params` [n, width], or in `.pt` files `string_to_param` with
 * one such entry, whose token is the file's name.
 *
 * @param token What the vectors stand for, whatever the file says: a bundled embedding's name.
 * @throws TillerError if a width is not the text encoder's.
 */
export async function readTextualInversion(
  file: string,
  tensors: ReadonlyMap<string, TensorRef>,
  { name: model, components, text }: Base,
  token?: string,
): Promise<Map<string, Map<string, Float32Array[]>>> {
  const [table] = text.embeddings;
  if (!table) {
    throw new TillerError(
      "adapter-other-model",
      `${file} is an embedding, and the text encoder of the model ${model} takes no learned tokens: use a LoRA.`,
      { paths: [file] },
    );
  }
  const width = components.get(table.component)!.weights.get(table.key)!.shape[1]!;
  const tokens = new Map<string, Float32Array[]>();
  for (const [key, ref] of tensors) {
    if (key.startsWith("string_to_token.")) continue;
    if (key === "clip_g")
      throw new TillerError(
        "adapter-other-model",
        `${file} is an embedding for Stable Diffusion XL (it has clip_g), not for the model ${model}.`,
        { paths: [file] },
      );
    const vectors = ref.shape.length === 1 ? 1 : ref.shape[0]!;
    if (ref.shape.at(-1) !== width || vectors === 0) {
      throw new TillerError(
        "adapter-other-model",
        `${file} does not fit the model ${model}: ${key} is [${ref.shape.join(", ")}], but its text encoder's embeddings have width ${width}.`,
        { paths: [file] },
      );
    }
    const { data } = await readFactor(file, key, ref);
    const rows = Array.from({ length: vectors }, (_, i) => data.subarray(i * width, (i + 1) * width));
    if (token !== undefined) tokens.set(token, rows);
    else if (key === table.fileKey) for (const [i, row] of rows.entries()) tokens.set(`<s${i}>`, [row]);
    else tokens.set(named(key === "emb_params" || webUi.test(key) ? basename(file, extname(file)) : key, file), rows);
  }
  return new Map([[table.component, tokens]]);
}

/** @throws TillerError if no prompt can hold the token. */
function named(token: string, file: string): string {
  if (token.trim() !== "") return token;
  throw new TillerError(
    "adapter-damaged",
    `${file} calls its embedding ${JSON.stringify(token)}, which is no word of a prompt: export it again with a token.`,
    { paths: [file] },
  );
}
