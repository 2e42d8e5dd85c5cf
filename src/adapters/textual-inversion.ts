/** Learned token embeddings in their common formats. */
import { basename, extname } from "#bytes";
import type { TensorRef } from "../bytes/tensor-ref.ts";
import { TillerError } from "../errors/index.ts";
import type { Adapter } from "./adapter.ts";
import { readFactor } from "./factor.ts";
import type { AdapterKind, Base } from "./kind.ts";
import { tokenOf } from "./made-by.ts";
import { keyEndOf, otherThing } from "./naming.ts";

/** Keys of the web UI's `.pt` files: the vectors, and the token's id. */
const webUi = /^string_to_(param|token)\./;

/** Keys that do not name the token: it is the file's name. The second is OneTrainer's. */
const nameless = /^(emb_params|emp_params)$/;

/** OneTrainer's output embeddings, which change the text encoder's output. */
const output = /^(emb_params|emp_params|clip_l|clip_g)_out$/;
export const isOutputEmbedding = (key: string): boolean => output.test(key);

const fixed = /^(emb_params|emp_params|clip_[lg]|t5\w*|text_encoders_\d)$/;

/** Keys that name one of several text encoders; `text_encoders_0` is an older spelling of `clip_l`. */
const ofEncoder = /^(clip_[lg]|text_encoders_\d)$/;

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

/** A token and the rows of a tensor that are its embeddings. */
export interface TokenRows {
  readonly token: string;
  readonly vectors: number;
  readonly width: number;
}

/**
 * The tokens that each key of such a file defines, in the order of its rows.
 *
 * Diffusers writes `{ "<cat>": [width] or [n, width] }`. Other tools write `emb_params` [n, width], or in `.pt` files
 * `string_to_param` with one such entry: the token is the file's name. `clip_l` [n, width] is what Diffusers' advanced training
 * scripts write, with the tokens `<s0>`, `<s1>`, …; for two text encoders they write `clip_l` and `clip_g` into `…_emb.safetensors`,
 * but so do web UIs into files named after the one token that all rows belong to. Tiller's own name their token.
 */
export function tokensOf(
  tensors: ReadonlyMap<string, Pick<TensorRef, "shape">>,
  file: string,
  metadata: Readonly<Record<string, string>> = {},
): ReadonlyMap<string, readonly TokenRows[]> {
  const stem = basename(file, extname(file));
  const isPair = [...tensors.keys()].filter((key) => ofEncoder.test(key)).length > 1;
  const own = isPair ? (tokenOf(metadata) ?? (stem.endsWith("_emb") ? undefined : stem)) : undefined;
  const found = new Map<string, TokenRows[]>();
  for (const [key, { shape }] of tensors) {
    if (key.startsWith("string_to_token.")) continue;
    const width = shape.at(-1) ?? 0;
    const vectors = shape.length === 1 ? 1 : (shape[0] ?? 0);
    if (ofEncoder.test(key) && own === undefined)
      found.set(
        key,
        Array.from({ length: vectors }, (_, i) => ({ token: `<s${i}>`, vectors: 1, width })),
      );
    else found.set(key, [{ token: own ?? (nameless.test(key) || webUi.test(key) ? stem : key), vectors, width }]);
  }
  return found;
}

export const textualInversion: AdapterKind = {
  name: "textual inversion",
  recognises: ({ tensors }) => isTextualInversion(tensors),
  read: async ({ file, tensors, metadata }, base) => {
    const tokens = await readTextualInversion(file, tensors, base, { metadata });
    return { format: "textual-inversion", tokens, warnings: unequal(file, tokens, base) };
  },
};

/** A warning about tokens that only some of the text encoders have. */
function unequal(file: string, tokens: Adapter["tokens"], { text }: Base): string[] {
  const lacking = text.embeddings.filter(({ component }) => !tokens.get(component)?.size);
  if (lacking.length === 0) return [];
  const names = [...tokens.values()].flatMap((table) => [...table.keys()]);
  const without = lacking.map(({ component }) => component).join(" and ");
  return [`${file} has no embeddings for the model's ${without}, which reads ${names.join(" and ")} as ordinary text`];
}

/**
 * Reads tokens and their embeddings, by the text encoder they belong to: the key names it, or the width.
 *
 * @param options The file's metadata; and the token, overriding the file's: a bundled embedding's name.
 * @throws TillerError if a width is no text encoder's, or if two text encoders have different numbers of embeddings for a token.
 */
export async function readTextualInversion(
  file: string,
  tensors: ReadonlyMap<string, TensorRef>,
  { name: model, family, components, text }: Base,
  { metadata, token }: { readonly metadata?: Adapter["metadata"]; readonly token?: string } = {},
): Promise<Map<string, Map<string, Float32Array[]>>> {
  if (text.embeddings.length === 0) {
    throw new TillerError(
      "adapter-other-model",
      `${file} is an embedding, and the text encoder of the model ${model} takes no learned tokens: use a LoRA.`,
      { paths: [file] },
    );
  }
  const tables = text.embeddings.map(({ component, key, fileKey }, i) => ({
    component,
    width: components.get(component)!.weights.get(key)!.shape[1]!,
    keys: [fileKey, `text_encoders_${i}`],
  }));
  const other = [...tensors.keys()].find(
    (key) => ofEncoder.test(key) && !tables.some(({ keys }) => keys.includes(key)),
  );
  if (other !== undefined)
    throw new TillerError(
      "adapter-other-model",
      `${file} is an embedding for Stable Diffusion XL (it has ${other}), not for the model ${model} (${family}).`,
      { paths: [file] },
    );
  const found = new Map<string, Map<string, Float32Array[]>>();
  for (const [key, rows] of tokensOf(tensors, file, metadata)) {
    const ref = tensors.get(key)!;
    if (output.test(key))
      throw new TillerError(
        "adapter-unsupported",
        `${file} has an output embedding (${key}), which Tiller does not apply: train it without output embeddings.`,
        { paths: [file] },
      );
    const named = tables.find(({ keys }) => keys.includes(key));
    const [width = 0, vectors] = [ref.shape.at(-1), ref.shape.length === 1 ? 1 : (ref.shape[0] ?? 0)];
    const table = named ?? tables.find((one) => one.width === width);
    if (ref.shape.length > 2 || table?.width !== width || vectors === 0) {
      const widths = (named ? [named] : tables).map((one) => one.width).join(" or ");
      throw new TillerError(
        "adapter-other-model",
        `${file} does not fit the model ${model}: ${key} is [${ref.shape.join(", ")}], but its text encoder's embeddings have width ${widths}.`,
        { paths: [file] },
      );
    }
    const { data } = await readFactor(file, key, ref);
    const all = Array.from({ length: vectors }, (_, i) => data.subarray(i * width, (i + 1) * width));
    const tokens = found.get(table.component) ?? new Map<string, Float32Array[]>();
    found.set(table.component, tokens);
    const defined = token === undefined ? rows : [{ token, vectors }];
    for (const { token: own, vectors: count } of defined) {
      const name = token ?? usable(own, file);
      if (tokens.has(name))
        throw new TillerError("adapter-damaged", `${file} defines ${name} twice, the second time in ${key}.`, {
          paths: [file],
        });
      tokens.set(name, all.splice(0, count));
    }
  }
  refuseUnequal(file, found);
  return found;
}

/** @throws TillerError if a token has different numbers of embeddings in two text encoders. */
function refuseUnequal(file: string, found: ReadonlyMap<string, ReadonlyMap<string, readonly Float32Array[]>>): void {
  const counts = new Map<string, number>();
  for (const tokens of found.values()) {
    for (const [token, { length }] of tokens) {
      const other = counts.get(token) ?? length;
      if (other !== length)
        throw new TillerError(
          "adapter-damaged",
          `${file} is damaged: ${token} has ${other} embeddings for one text encoder and ${length} for another.`,
          { paths: [file] },
        );
      counts.set(token, length);
    }
  }
}

/** @throws TillerError if the token is blank. */
function usable(token: string, file: string): string {
  if (token.trim() !== "") return token;
  throw new TillerError(
    "adapter-damaged",
    `${file} calls its embedding ${JSON.stringify(token)}, which cannot be used in a prompt: export it again with a token.`,
    { paths: [file] },
  );
}
