/** Learned token embeddings in their common formats. */
import { basename, extname } from "#bytes";
import type { TensorRef } from "../bytes/tensor-ref.ts";
import { TillerError } from "../errors/index.ts";
import { readFactor } from "./factor.ts";
import type { AdapterKind, Base } from "./kind.ts";
import { keyEndOf, otherThing } from "./naming.ts";

/** Keys of the web UI's `.pt` files: the vectors, and the token's id. */
const webUi = /^string_to_(param|token)\./;

/** Keys that do not name the token: it is the file's name. The second is OneTrainer's. */
const nameless = /^(emb_params|emp_params)$/;

/** OneTrainer's output embeddings, which change the text encoder's output. */
const output = /^(emb_params|emp_params|clip_l|clip_g)_out$/;
export const isOutputEmbedding = (key: string): boolean => output.test(key);

const fixed = /^(emb_params|emp_params|clip_[lg]|t5\w*|text_encoders_\d)$/;

/** Whether a file holds only embeddings, keyed by token or by one of the usual fixed keys. */
export function isTextualInversion(tensors: ReadonlyMap<string, TensorRef>): boolean {
  if (tensors.size === 0 || otherThing(tensors.keys()) !== undefined) return false;
  return [...tensors].every(([key, { shape }]) => {
    if (fixed.test(key) || output.test(key) || webUi.test(key)) return true;
    if (shape.length === 0 || shape.length > 2 || keyEndOf(key) !== undefined) return false;
    // A dot in a lone key may be part of the token; in other keys it separates modules.
    const lone = tensors.size === 1 && /^[^.]+\.[^.]+$/.test(key) && !/\.(weight|bias)$/.test(key);
    return key.startsWith("<") || !key.includes(".") || lone;
  });
}

/** The tokens that a key of such a file defines. */
export function tokensOfKey(
  key: string,
  shape: readonly number[],
  file: string,
): { token: string; vectors: number; width: number }[] {
  if (key.startsWith("string_to_token.")) return [];
  const width = shape.at(-1) ?? 0;
  const vectors = shape.length === 1 ? 1 : (shape[0] ?? 0);
  if (key === "clip_l") return Array.from({ length: vectors }, (_, i) => ({ token: `<s${i}>`, vectors: 1, width }));
  return [{ token: nameless.test(key) || webUi.test(key) ? basename(file, extname(file)) : key, vectors, width }];
}

export const textualInversion: AdapterKind = {
  name: "textual inversion",
  recognises: ({ tensors }) => isTextualInversion(tensors),
  read: async ({ file, tensors }, base) => ({
    format: "textual-inversion",
    tokens: await readTextualInversion(file, tensors, base),
  }),
};

/**
 * Reads tokens and their embeddings.
 *
 * Diffusers writes `{ "<cat>": [width] or [n, width] }`; its advanced training script `clip_l` [n, width], whose tokens are
 * `<s0>`, `<s1>`, …; other tools `emb_params` [n, width], or in `.pt` files `string_to_param` with one such entry, whose
 * token is the file's name.
 *
 * @param token The token, overriding the file's: a bundled embedding's name.
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
    if (/^(clip_g|text_encoders_\d)$/.test(key))
      throw new TillerError(
        "adapter-other-model",
        `${file} is an embedding for Stable Diffusion XL (it has ${key}), not for the model ${model}.`,
        { paths: [file] },
      );
    if (output.test(key))
      throw new TillerError(
        "adapter-unsupported",
        `${file} has an output embedding (${key}), which Tiller does not apply: train it without output embeddings.`,
        { paths: [file] },
      );
    const vectors = ref.shape.length === 1 ? 1 : (ref.shape[0] ?? 0);
    if (ref.shape.length > 2 || ref.shape.at(-1) !== width || vectors === 0) {
      throw new TillerError(
        "adapter-other-model",
        `${file} does not fit the model ${model}: ${key} is [${ref.shape.join(", ")}], but its text encoder's embeddings have width ${width}.`,
        { paths: [file] },
      );
    }
    const { data } = await readFactor(file, key, ref);
    const rows = Array.from({ length: vectors }, (_, i) => data.subarray(i * width, (i + 1) * width));
    for (const [i, { token: own }] of tokensOfKey(key, ref.shape, file).entries()) {
      const name = token ?? named(own, file);
      if (tokens.has(name) && (token === undefined || i === 0))
        throw new TillerError("adapter-damaged", `${file} defines ${name} twice, the second time in ${key}.`, {
          paths: [file],
        });
      tokens.set(name, token === undefined && key === table.fileKey ? [rows[i]!] : rows);
    }
  }
  return new Map([[table.component, tokens]]);
}

/** @throws TillerError if the token is blank. */
function named(token: string, file: string): string {
  if (token.trim() !== "") return token;
  throw new TillerError(
    "adapter-damaged",
    `${file} calls its embedding ${JSON.stringify(token)}, which cannot be used in a prompt: export it again with a token.`,
    { paths: [file] },
  );
}
