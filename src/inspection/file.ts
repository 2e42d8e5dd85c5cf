/** Describes a weights file: a whole model, an adapter, an embedding, or unknown tensors. */
import { isCustomDiffusion } from "../adapters/custom-diffusion.ts";
import { familyByWidth, otherThing } from "../adapters/naming.ts";
import { isTextualInversion, tokensOf } from "../adapters/textual-inversion.ts";
import { readTensors } from "../bytes/read-tensors.ts";
import type { DType } from "../bytes/tensor-ref.ts";
import { predictionTold } from "../families/latent-diffusion/ldm-prediction.ts";
import { nameForeign, nameLonePart, nameOtherTask } from "../families/latent-diffusion/ldm-refusals.ts";
import { ldmSettings } from "../families/latent-diffusion/ldm-yaml.ts";
import { yamlBeside } from "../families/open-model.ts";
import { isSdxl, nameOtherSdxl } from "../families/stable-diffusion-xl/ldm.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import { isLora, type LoraDetails, loraDetails } from "./lora.ts";
import { type Amount, amountOf } from "./tensors.ts";

/** Facts about any weights file. */
export interface TensorFile extends Amount {
  /** The path as given. */
  readonly file: string;
  /** The metadata in its header, or beside the tensors in a PyTorch file, such as a trainer's settings. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** Key and value matrices that replace the model's (Custom Diffusion, ClassDiffusion). */
export interface CustomDiffusionDetails {
  /** Which kind of file it is. */
  readonly kind: "custom-diffusion";
  /** The base model that its widths match, if known. */
  readonly family: string | undefined;
  /** Number of matrices. */
  readonly matrices: number;
  /** Their names: "to_k", "to_v". */
  readonly parts: readonly string[];
}

/** Learned token embeddings. */
export interface TextualInversionDetails {
  /** Which kind of file it is. */
  readonly kind: "textual-inversion";
  /** The base model that their width matches, if known. */
  readonly family: string | undefined;
  /** The tokens, how many embeddings each has, and how wide these are. */
  readonly tokens: readonly { readonly token: string; readonly vectors: number; readonly width: number }[];
}

/** A whole model in one file, in the naming of the original latent-diffusion code. */
export interface SingleFileModelDetails {
  /** Which kind of file it is. */
  readonly kind: "single-file model";
  /** The model family by its keys: "Stable Diffusion 1.x". */
  readonly family: string;
  /** What its network predicts, by the .yaml beside it, marker keys or metadata; undefined if unknown. */
  readonly predicts: "epsilon" | "v_prediction" | "sample" | undefined;
  /** Its parts with their sizes. */
  readonly parts: readonly ({ readonly part: string } & Amount)[];
}

/** Unknown tensors. */
export interface OtherTensors {
  /** Which kind of file it is. */
  readonly kind: "tensors";
  /** A guess by its keys: "a ControlNet". */
  readonly looksLike: string | undefined;
  /** Its first tensors. */
  readonly first: readonly { readonly key: string; readonly shape: readonly number[]; readonly dtype: DType }[];
}

/** A file of weights; `kind` says which of these it is. */
export type FileInspection = TensorFile &
  (LoraDetails | CustomDiffusionDetails | TextualInversionDetails | SingleFileModelDetails | OtherTensors);

/** @throws TillerError if the file has no weights that Tiller can read; the message says what it is. */
export async function inspectFile(file: string): Promise<FileInspection> {
  const { tensors, metadata } = await readTensors(file);
  return { file, metadata, ...amountOf(tensors), ...(await detailsOf(tensors, metadata, file)) };
}

async function detailsOf(tensors: Checkpoint, metadata: Readonly<Record<string, string>>, file: string) {
  if (isLora(tensors) && otherThing(tensors.keys()) === undefined) return loraDetails(file, tensors, metadata);
  return (
    customDiffusion(tensors) ??
    textualInversion(tensors, metadata, file) ??
    (await singleFileModel(tensors, metadata, file)) ??
    otherTensors(tensors)
  );
}

function customDiffusion(tensors: Checkpoint): CustomDiffusionDetails | undefined {
  if (!isCustomDiffusion(tensors)) return undefined;
  const keys = [...tensors.keys()].filter((key) => !key.startsWith("modifier_token."));
  if (keys.length === 0) return undefined;
  const toKeys = keys.find((key) => /to_k\b|to_k_/.test(key));
  return {
    kind: "custom-diffusion",
    family: familyByWidth(tensors.get(toKeys ?? "")?.shape[1]),
    matrices: keys.length,
    parts: [...new Set(keys.map((key) => /\.(to_(?:k|v|q|out))/.exec(key)?.[1] ?? "?"))],
  };
}

function textualInversion(
  tensors: Checkpoint,
  metadata: Readonly<Record<string, string>>,
  file: string,
): TextualInversionDetails | undefined {
  if (!isTextualInversion(tensors)) return undefined;
  const tokens = [...tokensOf(tensors, file, metadata).values()].flat();
  return { kind: "textual-inversion", family: embeddingFamily(tokens.map(({ width }) => width)), tokens };
}

/** Stable Diffusion XL's second text encoder, or a pair with it, has embeddings of width 1280. */
const embeddingFamily = (widths: readonly number[]): string | undefined =>
  widths.includes(1280) ? "Stable Diffusion XL" : familyByWidth(widths[0]);

/** Parts of single-file models by key prefix, in the order they are listed. */
const prefixes = [
  ["U-Net", /^model\.diffusion_model\./],
  ["autoencoder", /^(first_stage_model|vae)\./],
  ["text encoder", /^(cond_stage_model|conditioner|text_encoders)\./],
  ["averaged copy of the U-Net", /^model_ema\./],
] as const;

async function singleFileModel(
  tensors: Checkpoint,
  metadata: Readonly<Record<string, string>>,
  file: string,
): Promise<SingleFileModelDetails | undefined> {
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
    predicts: await predictionOf(tensors, metadata, file),
    parts: parts.filter(({ keys }) => keys.size > 0).map(({ part, keys }) => ({ part, ...amountOf(keys) })),
  };
}

async function predictionOf(tensors: Checkpoint, metadata: Readonly<Record<string, string>>, file: string) {
  const form = [...tensors.keys()].some((key) => key.startsWith("cond_stage_model.model.")) ? 2 : 1;
  return (
    ldmSettings((await yamlBeside(file)) ?? "", file).prediction ?? (await predictionTold(tensors, metadata, form))
  );
}

function singleFileFamily(tensors: Checkpoint, unet: Checkpoint): string {
  const attention = "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight";
  const base =
    nameForeign(tensors)?.replace(/^an? | checkpoint$/g, "") ??
    familyByWidth(unet.get(attention)?.shape[1]) ??
    "unknown";
  const task = isSdxl(tensors) ? nameOtherSdxl(tensors, unet) : nameOtherTask(unet);
  return task === undefined ? base : `${base}: ${task}`;
}

function otherTensors(tensors: Checkpoint): OtherTensors {
  const first = [...tensors].slice(0, 12).map(([key, { shape, dtype }]) => ({ key, shape, dtype }));
  return {
    kind: "tensors",
    looksLike: nameForeign(tensors) ?? nameLonePart(tensors) ?? otherThing(tensors.keys()),
    first,
  };
}
