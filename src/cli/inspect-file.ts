/** What one safetensors file holds: a whole model, an adapter, an embedding, or tensors of no known kind. */

import { basename } from "node:path";
import { type Checkpoint, nameForeign, nameOtherTask, readSafetensors } from "../index.ts";
import { describeLora, isLora, type LoraReport } from "./inspect-lora.ts";
import { type Amount, amountOf, elements, familyByWidth } from "./inspect-tensors.ts";

export type FileReport = { readonly file: string; readonly metadata: Readonly<Record<string, string>> } & Amount &
  (LoraReport | CustomDiffusionReport | EmbeddingReport | CheckpointReport | OtherReport);

interface CustomDiffusionReport {
  readonly kind: "custom-diffusion";
  readonly family: string | undefined;
  /** Key and value matrices that replace the model's. */
  readonly matrices: number;
  readonly parts: readonly string[];
}

interface EmbeddingReport {
  readonly kind: "textual-inversion";
  readonly family: string | undefined;
  readonly tokens: readonly { readonly token: string; readonly vectors: number; readonly width: number }[];
}

interface CheckpointReport {
  readonly kind: "single-file model";
  readonly family: string;
  readonly parts: readonly ({ readonly part: string } & Amount)[];
}

interface OtherReport {
  readonly kind: "tensors";
  /** What it looks like, if its keys tell. */
  readonly looksLike: string | undefined;
  /** First keys with their shapes. */
  readonly first: readonly { readonly key: string; readonly shape: readonly number[]; readonly dtype: string }[];
}

/** @throws TillerError if the file cannot be read as safetensors. */
export async function describeFile(file: string): Promise<FileReport> {
  const { tensors, metadata } = await readSafetensors(file);
  return { file, metadata, ...amountOf(tensors), ...(await describe(tensors, metadata, file)) };
}

async function describe(tensors: Checkpoint, metadata: Readonly<Record<string, string>>, file: string) {
  if (isLora(tensors)) return describeLora(file, tensors, metadata);
  return (
    describeCustomDiffusion(tensors) ?? describeEmbedding(tensors, file) ?? describeModel(tensors) ?? other(tensors)
  );
}

function describeCustomDiffusion(tensors: Checkpoint): CustomDiffusionReport | undefined {
  const keys = [...tensors.keys()].filter((key) => key.includes("custom_diffusion"));
  if (keys.length === 0) return undefined;
  const toKeys = keys.find((key) => key.includes("to_k_custom_diffusion"));
  return {
    kind: "custom-diffusion",
    family: familyByWidth(tensors.get(toKeys ?? "")?.shape[1]),
    matrices: keys.length,
    parts: [...new Set(keys.map((key) => /(to_\w+)_custom_diffusion/.exec(key)?.[1] ?? "?"))],
  };
}

function describeEmbedding(tensors: Checkpoint, file: string): EmbeddingReport | undefined {
  const entries = [...tensors].filter(([, { shape }]) => shape.length > 0 && shape.length <= 2);
  const known = /^(<.*>|emb_params|clip_[lg]|string_to_param(\..*)?)$/;
  const [only] = entries;
  const lone = tensors.size === 1 && only !== undefined && !only[0].includes(".") && elements(only[1].shape) < 1e6;
  const tokens = entries.filter(([key]) => lone || known.test(key));
  if (tokens.length === 0 || tokens.length !== tensors.size) return undefined;
  const name = basename(file).replace(/\.safetensors$/i, "");
  return {
    kind: "textual-inversion",
    family: familyByWidth(tokens[0]?.[1].shape.at(-1)),
    tokens: tokens.map(([key, { shape }]) => ({
      token: /^(emb_params|clip_[lg]|string_to_param)/.test(key) ? name : key,
      vectors: shape.length === 2 ? shape[0]! : 1,
      width: shape.at(-1)!,
    })),
  };
}

/** Parts of single files by prefix, in the order they are told. */
const prefixes = [
  ["U-Net", /^model\.diffusion_model\./],
  ["autoencoder", /^(first_stage_model|vae)\./],
  ["text encoder", /^(cond_stage_model|conditioner|text_encoders)\./],
  ["averaged copy of the U-Net", /^model_ema\./],
] as const;

function describeModel(tensors: Checkpoint): CheckpointReport | undefined {
  const unet = new Map([...tensors].flatMap(([key, ref]) => (prefixes[0][1].test(key) ? [[key.slice(22), ref]] : [])));
  if (unet.size === 0) return undefined;
  const taken = new Set<string>();
  const parts: { part: string; keys: Checkpoint }[] = prefixes.map(([part, pattern]) => ({
    part,
    keys: new Map([...tensors].filter(([key]) => pattern.test(key) && taken.add(key))),
  }));
  parts.push({ part: "other tensors", keys: new Map([...tensors].filter(([key]) => !taken.has(key))) });
  return {
    kind: "single-file model",
    family: singleFileFamily(tensors, unet),
    parts: parts.filter(({ keys }) => keys.size > 0).map(({ part, keys }) => ({ part, ...amountOf(keys) })),
  };
}

function singleFileFamily(tensors: Checkpoint, unet: Checkpoint): string {
  const attention = "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight";
  const base =
    nameForeign(tensors)?.replace(/^an? | checkpoint$/g, "") ??
    familyByWidth(unet.get(attention)?.shape[1]) ??
    "unknown";
  const task = nameOtherTask(unet);
  return task === undefined ? base : `${base}: ${task}`;
}

function other(tensors: Checkpoint): OtherReport {
  const first = [...tensors].slice(0, 12).map(([key, { shape, dtype }]) => ({ key, shape, dtype }));
  return { kind: "tensors", looksLike: nameForeign(tensors), first };
}
