/** What one file of weights holds: a whole model, an adapter, an embedding, or tensors of no known kind. */
import { isCustomDiffusion } from "../adapters/custom-diffusion.ts";
import { familyByWidth, otherThing } from "../adapters/naming.ts";
import { isTextualInversion, tokensOfKey } from "../adapters/textual-inversion.ts";
import { readTensors } from "../bytes/read-tensors.ts";
import type { DType } from "../bytes/tensor-ref.ts";
import { yamlBeside } from "../families/open-model.ts";
import { predictionTold } from "../families/stable-diffusion/ldm.ts";
import { nameForeign, nameLonePart, nameOtherTask } from "../families/stable-diffusion/ldm-refusals.ts";
import { ldmSettings } from "../families/stable-diffusion/ldm-yaml.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import { isLora, type LoraDetails, loraDetails } from "./lora.ts";
import { type Amount, amountOf } from "./tensors.ts";

/** What every file of weights has. */
export interface TensorFile extends Amount {
  /** As it was named. */
  readonly file: string;
  /** The text in its header, or beside the tensors in a PyTorch file: a trainer's settings, for instance. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** Key and value matrices that take the place of the model's own (Custom Diffusion, ClassDiffusion). */
export interface CustomDiffusionDetails {
  /** Which kind of file it is. */
  readonly kind: "custom-diffusion";
  /** The base model that its widths fit, if that can be told. */
  readonly family: string | undefined;
  /** How many matrices. */
  readonly matrices: number;
  /** Which they are: "to_k", "to_v". */
  readonly parts: readonly string[];
}

/** Learned token embeddings. */
export interface TextualInversionDetails {
  /** Which kind of file it is. */
  readonly kind: "textual-inversion";
  /** The base model that their width fits, if that can be told. */
  readonly family: string | undefined;
  /** The tokens, how many embeddings each has, and how wide these are. */
  readonly tokens: readonly { readonly token: string; readonly vectors: number; readonly width: number }[];
}

/** A whole model in one file, in the naming of the original latent-diffusion code. */
export interface SingleFileModelDetails {
  /** Which kind of file it is. */
  readonly kind: "single-file model";
  /** What model it is, as far as its keys tell: "Stable Diffusion 1.x". */
  readonly family: string;
  /** What its network predicts, as the .yaml beside it, its marks or its metadata say; undefined if nothing does. */
  readonly predicts: "epsilon" | "v_prediction" | "sample" | undefined;
  /** Its parts and how much each is. */
  readonly parts: readonly ({ readonly part: string } & Amount)[];
}

/** Tensors of no kind that Tiller knows. */
export interface OtherTensors {
  /** Which kind of file it is. */
  readonly kind: "tensors";
  /** What it looks like, if its keys tell: "a ControlNet". */
  readonly looksLike: string | undefined;
  /** Its first tensors. */
  readonly first: readonly { readonly key: string; readonly shape: readonly number[]; readonly dtype: DType }[];
}

/** A file of weights; `kind` says which of these it is. */
export type FileInspection = TensorFile &
  (LoraDetails | CustomDiffusionDetails | TextualInversionDetails | SingleFileModelDetails | OtherTensors);

/** @throws TillerError if the file holds no weights that Tiller reads; the message says what it is. */
export async function inspectFile(file: string): Promise<FileInspection> {
  const { tensors, metadata } = await readTensors(file);
  return { file, metadata, ...amountOf(tensors), ...(await detailsOf(tensors, metadata, file)) };
}

async function detailsOf(tensors: Checkpoint, metadata: Readonly<Record<string, string>>, file: string) {
  if (isLora(tensors) && otherThing(tensors.keys()) === undefined) return loraDetails(file, tensors, metadata);
  return (
    customDiffusion(tensors) ??
    textualInversion(tensors, file) ??
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

function textualInversion(tensors: Checkpoint, file: string): TextualInversionDetails | undefined {
  if (!isTextualInversion(tensors)) return undefined;
  const tokens = [...tensors].flatMap(([key, { shape }]) => tokensOfKey(key, shape, file));
  return { kind: "textual-inversion", family: familyByWidth(tokens[0]?.width), tokens };
}

/** Parts of single files by prefix, in the order they are told. */
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
  const task = nameOtherTask(unet);
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
