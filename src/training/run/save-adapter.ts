/** The files a run writes: adapters in the format of Diffusers and PEFT, embeddings in both common formats. */
import { boundOf, type LowRank, writeCustomDiffusion, writeEmbeddings, writeLora } from "../../adapters/index.ts";
import { areComputable, largest } from "../../bytes/computable.ts";
import { TillerError } from "../../errors/index.ts";
import type { EmbeddingTable } from "../../families/family.ts";
import { type ByComponent, scoped } from "../../models/components.ts";
import type { Tensor } from "../../runtime/index.ts";
import { factorsOf, type Trained } from "../objective/trained.ts";

/** What a run writes: an adapter's files. */
export interface SavedAdapter {
  /** To be loaded together: by `Pipeline.load`, or `--adapter` for each. */
  readonly adapters: readonly string[];
  /** The embeddings again, in the format of Diffusers' advanced scripts; with several text encoders there is no other format. */
  readonly copies: readonly string[];
}

/**
 * Writes the trained tensors; `metadata` says how they were made.
 *
 * @throws TillerError before anything is written, if the adapter is unusable; or if the disk is full or not writable.
 */
export async function saveAdapter(
  out: string,
  trained: Trained,
  tables: readonly EmbeddingTable[],
  values: ReadonlyMap<string, Tensor>,
  token: string,
  metadata: Readonly<Record<string, string>>,
): Promise<SavedAdapter> {
  const adapters: string[] = [];
  const copies: string[] = [];
  const lowRank = factorsOf(trained, values);
  refuseDiverged(lowRank, values);
  if (trained.lowRank.size > 0) {
    await writeLora(out, lowRank, metadata);
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
  if (tables.length > 0 && trained.vectors > 0) {
    const stem = out.slice(0, -".safetensors".length);
    const file = adapters.length === 0 ? out : `${stem}-embedding.safetensors`;
    const byEncoder = new Map(tables.map(({ fileKey, input }) => [fileKey, rowsOf(values.get(input)!)]));
    const [only, another] = byEncoder.values();
    adapters.push(file);
    if (another) {
      // The form for several text encoders; the token is in the metadata.
      await writeEmbeddings(file, byEncoder, metadata);
    } else {
      await writeEmbeddings(file, new Map([[token, only!]]), metadata);
      const [key] = byEncoder.keys();
      await writeEmbeddings(`${stem}-${key}.safetensors`, byEncoder, metadata);
      copies.push(`${stem}-${key}.safetensors`);
    }
  }
  return { adapters, copies };
}

function rowsOf({ shape, data }: Tensor): Float32Array[] {
  const [count, width] = shape as [number, number];
  return Array.from({ length: count }, (_, i) => (data as Float32Array).subarray(i * width, (i + 1) * width));
}

function refuseDiverged(lowRank: ByComponent<ReadonlyMap<string, LowRank>>, values: ReadonlyMap<string, Tensor>): void {
  const changes = [...lowRank.values()].flatMap((modules) => [...modules]);
  const diverged =
    [...values].find(([, { data }]) => !areComputable(data as Float32Array)) ??
    changes.find(([, change]) => !(boundOf(change) <= largest));
  if (!diverged) return;
  throw new TillerError(
    "training-diverged",
    `training diverged: ${diverged[0]} is non-finite or too large, and is not saved; lower the learning rate or alpha.`,
  );
}
