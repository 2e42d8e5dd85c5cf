/** Opens a component folder's weights, a single file or shards, as one map. */

import { z } from "zod";
import { join, list } from "#bytes";
import { readJson } from "../bytes/json-file.ts";
import { readTensors } from "../bytes/read-tensors.ts";
import { refuseStoredTypes } from "../bytes/safetensors.ts";
import { quoted } from "../bytes/safetensors-header.ts";
import type { TensorRef } from "../bytes/tensor-ref.ts";
import { TillerError } from "../errors/index.ts";
import { chooseWeightFiles } from "./weight-files.ts";

/** Tensors by key. The key may be a newer spelling of `TensorRef.name`, which is the file's. */
export type Checkpoint = ReadonlyMap<string, TensorRef>;

/** Shard index of Transformers and Diffusers; the largest public ones take a few MB. */
const indexSchema = z.looseObject({ weight_map: z.record(z.string(), z.string()) });
const maxIndex = 100_000_000;

/**
 * Opens `diffusion_pytorch_model` or `model` in a component's folder: the variant asked for, else the plain files, else the
 * only variant there is. All shards are opened and checked.
 *
 * @throws TillerError if the folder holds no weights, a shard is missing or damaged, or the index is wrong.
 */
export async function openCheckpoint(folder: string, variant?: string): Promise<Checkpoint> {
  const names = await listFolder(folder);
  const chosen = chooseWeightFiles(names, variant);
  if (!chosen) throw noWeights(folder, names);
  const file = join(folder, chosen.file);
  const checkpoint = chosen.kind === "file" ? (await readTensors(file)).tensors : await openShards(folder, file);
  refuseStoredTypes(checkpoint);
  return checkpoint;
}

async function openShards(folder: string, indexFile: string): Promise<Checkpoint> {
  const { weight_map } = await readJson(indexFile, indexSchema, maxIndex);
  const keysOf = new Map<string, string[]>();
  const ofTorch = indexFile.includes(".bin.");
  for (const [key, shard] of Object.entries(weight_map)) {
    if (!/^[\w.-]+$/.test(shard) || !shard.endsWith(ofTorch ? ".bin" : ".safetensors")) {
      throw new TillerError(
        "index-invalid",
        `${indexFile} places ${quoted(key)} in ${quoted(shard)}, which is not a file in its folder.`,
        { paths: [indexFile] },
      );
    }
    const keys = keysOf.get(shard);
    if (keys) keys.push(key);
    else keysOf.set(shard, [key]);
  }
  const present = new Set(await listFolder(folder));
  for (const shard of keysOf.keys()) {
    if (!present.has(shard))
      throw new TillerError("model-incomplete", `${join(folder, shard)}, a shard named in ${indexFile}, is missing.`, {
        paths: [join(folder, shard), indexFile],
      });
  }
  const checkpoint = new Map<string, TensorRef>();
  for (const [shard, keys] of keysOf) {
    const { tensors } = await readTensors(join(folder, shard));
    for (const key of keys) {
      const ref = tensors.get(key);
      if (!ref)
        throw new TillerError(
          "model-incomplete",
          `${join(folder, shard)} has no ${quoted(key)}, which ${indexFile} places in it.`,
          { paths: [join(folder, shard), indexFile] },
        );
      checkpoint.set(key, ref);
    }
  }
  if (checkpoint.size === 0)
    throw new TillerError("index-invalid", `${indexFile} names no tensors.`, { paths: [indexFile] });
  return checkpoint;
}

function noWeights(folder: string, names: readonly string[]): TillerError {
  const others = names.filter((name) => /\.(safetensors|bin|ckpt|pt|pth)$/.test(name));
  const looked =
    "diffusion_pytorch_model.safetensors or model.safetensors (or their shards' index, or *pytorch_model.bin)";
  if (others.length > 0)
    return new TillerError("variant-missing", `${folder} holds ${others.join(", ")}, but no ${looked}.`, {
      paths: [folder],
    });
  return new TillerError("weights-missing", `${folder} holds no weights: ${looked} is missing.`, { paths: [folder] });
}

export async function listFolder(folder: string): Promise<string[]> {
  try {
    return await list(folder);
  } catch (error) {
    const what =
      (error as { readonly code?: string }).code === "ENOENT" ? "does not exist" : "is not a readable folder";
    throw new TillerError("weights-missing", `${folder} ${what}.`, { paths: [folder], cause: error });
  }
}
