/** The files a run leaves: adapters as Diffusers and PEFT write them, embeddings in both common forms. */
import { writeCustomDiffusion, writeEmbeddings, writeLora } from "../../adapters/index.ts";
import type { EmbeddingTable } from "../../families/family.ts";
import { scoped } from "../../models/components.ts";
import type { Tensor } from "../../runtime/index.ts";
import { factorsOf, type Trained } from "../objective/trained.ts";

export interface SavedAdapter {
  /** To be given to `--adapter`, all of them. */
  readonly adapters: readonly string[];
  /** The embeddings once more, in the form of Diffusers' advanced scripts. */
  readonly copies: readonly string[];
}

/** Writes what is trained; `metadata` says how it was made. */
export async function saveAdapter(
  out: string,
  trained: Trained,
  [table]: readonly EmbeddingTable[],
  values: ReadonlyMap<string, Tensor>,
  token: string,
  metadata: Readonly<Record<string, string>>,
): Promise<SavedAdapter> {
  const adapters: string[] = [];
  const copies: string[] = [];
  if (trained.lowRank.size > 0) {
    await writeLora(out, factorsOf(trained, values), metadata);
    adapters.push(out);
  }
  if (trained.matrices.size > 0) {
    const matrices = [...trained.matrices].flatMap(([component, keys]) =>
      [...keys].map((key): [string, Tensor] => [key.slice(0, -".weight".length), values.get(scoped(component, key))!]),
    );
    await writeCustomDiffusion(
      out,
      new Map(matrices.map(([path, { shape, data }]) => [path, { shape, data: data as Float32Array }])),
      metadata,
    );
    adapters.push(out);
  }
  if (table && trained.vectors > 0) {
    const { shape, data } = values.get(table.input)!;
    const width = shape[1]!;
    const vectors = Array.from({ length: shape[0]! }, (_, i) =>
      (data as Float32Array).subarray(i * width, (i + 1) * width),
    );
    const tokens = new Map([[token, vectors]]);
    const stem = out.slice(0, -".safetensors".length);
    const file = adapters.length === 0 ? out : `${stem}-embedding.safetensors`;
    await writeEmbeddings(file, tokens, "learned_embeds", metadata);
    adapters.push(file);
    await writeEmbeddings(`${stem}-clip_l.safetensors`, tokens, "clip_l", metadata);
    copies.push(`${stem}-clip_l.safetensors`);
  }
  return { adapters, copies };
}
