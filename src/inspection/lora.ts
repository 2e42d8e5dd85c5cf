/** Describes a LoRA file in any format; nothing is refused here. */
import type { AlphaRule } from "../adapters/kind.ts";
import { type LoraKey, parseLoraKey } from "../adapters/lora-keys.ts";
import { bundledEmbedding, familyByNames, familyByWidth, keyEndOf, kindsIn, type Role } from "../adapters/naming.ts";
import { alphasBeside, metadataAlphas } from "../adapters/peft-config.ts";
import { nameUnread } from "../adapters/refusals.ts";
import { isOutputEmbedding } from "../adapters/textual-inversion.ts";
import { readNumbers } from "../bytes/safetensors.ts";
import { TillerError } from "../errors/index.ts";
import type { KeyPrefix } from "../families/family.ts";
import { adapterPrefixes } from "../families/stable-diffusion/adapter-names.ts";
import { adapterPrefixes as xlPrefixes } from "../families/stable-diffusion-xl/adapter-names.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import { elements } from "./tensors.ts";

/** A LoRA. */
export interface LoraDetails {
  /** Which kind of file it is. */
  readonly kind: "lora";
  /** The format of its keys: "PEFT", "Diffusers", "kohya". */
  readonly format: string;
  /** The kinds of changes: "LoRA", "LoHa", "trained norms". */
  readonly kinds: readonly string[];
  /** Bundled learned tokens. */
  readonly tokens: readonly string[];
  /** The base model that its widths match, if known: "Stable Diffusion 1.x". */
  readonly family: string | undefined;
  /** Number of modules it changes. */
  readonly modules: number;
  /** Their ranks, each once, ascending. */
  readonly ranks: readonly number[];
  /** Its modules by part of the model and by function. */
  readonly groups: readonly LoraGroup[];
  /** What Tiller cannot run, one sentence each. */
  readonly obstacles: readonly string[];
}

/** Modules of one kind in one part of a model. */
export interface LoraGroup {
  /** The part of the model: "U-Net", "text encoder". */
  readonly part: string;
  /** What the modules are: "cross-attention". */
  readonly group: string;
  /** Number of modules. */
  readonly modules: number;
  /** Their ranks, each once, ascending. */
  readonly ranks: readonly number[];
  /** As stored with the module or in PEFT's metadata; empty if the file has none, which means alpha = rank. */
  readonly alphas: readonly number[];
  /** Elements of all of them. */
  readonly parameters: number;
}

const formats: Readonly<Record<LoraKey["spelling"], string>> = {
  peft: "PEFT",
  diffusers: "Diffusers",
  "diffusers-old": "Diffusers, older attention processors",
  kohya: "kohya",
};

/** Key prefixes of all families. */
const prefixes: readonly KeyPrefix[] = [
  { pattern: /^lora_transformer_/, component: "transformer", flat: true },
  { pattern: /^(base_model\.model\.)?transformer\./, component: "transformer" },
  ...xlPrefixes.filter(({ component }) => component === "text_encoder_2"),
  ...adapterPrefixes,
];

const parts: Readonly<Record<string, string>> = {
  unet: "U-Net",
  text_encoder: "text encoder",
  text_encoder_2: "text encoder 2",
  transformer: "transformer",
};

/** The functions of modules by path; the first match counts. */
const groups: readonly (readonly [RegExp, string])[] = [
  [/norm\w*$/, "norms"],
  [/attn1/, "self-attention"],
  [/attn2|cross_attn/, "cross-attention"],
  [/self_attn/, "self-attention"],
  [/ff[._]net|(^|[._])mlp[._]/, "feed-forward"],
  [/time_emb|emb_layers|time_embed/, "time embedding"],
  [/proj_(in|out)/, "projections around attention"],
  [/conv|resnets|in_layers|out_layers|skip_connection|samplers|_op$/, "convolutions"],
];

/** Whether any tensor is part of a LoRA or one of its relatives. */
export const isLora = (checkpoint: Checkpoint): boolean =>
  [...checkpoint.keys()].some((key) => keyEndOf(key)?.kind !== undefined || bundledEmbedding(key) !== undefined);

/** Tensors whose first axis is the rank. */
const ranked: ReadonlySet<Role> = new Set(["down", "hada_w1_b", "lokr_w2_b", "lokr_w1_b", "a2"]);

interface Module {
  readonly component: string | undefined;
  readonly path: string;
  rank?: number;
  alpha?: number;
  width?: number;
  parameters: number;
}

/** Describes a file that {@link isLora} recognises. */
export async function loraDetails(
  file: string,
  checkpoint: Checkpoint,
  metadata: Readonly<Record<string, string>>,
): Promise<LoraDetails> {
  const modules = new Map<string, Module>();
  let format: string | undefined;
  const unknown: string[] = [];
  for (const [key, ref] of checkpoint) {
    const parsed = parseLoraKey(key, prefixes);
    if (!parsed) {
      if (keyEndOf(key) === undefined && bundledEmbedding(key) === undefined) unknown.push(key);
      continue;
    }
    const { component, module: path, role, flat, spelling } = parsed;
    const name = `${component} ${path}`;
    const module = modules.get(name) ?? { component, path, parameters: 0 };
    modules.set(name, module);
    if (role === "alpha") {
      if (elements(ref.shape) === 1) module.alpha = (await readNumbers(ref))[0]!;
      continue;
    }
    module.parameters += elements(ref.shape);
    format ??= formats[flat ? "kohya" : spelling];
    if (role === "diff" && ref.shape.length > 1) module.width = ref.shape[1]!;
    if (ranked.has(role)) Object.assign(module, { rank: ref.shape[0], width: ref.shape[1] });
  }
  const { rule, refusal } = await alphasTold(file, checkpoint, metadata);
  const changed = [...modules.values()].filter(({ parameters }) => parameters > 0);
  const byGroup = new Map<string, Module[]>();
  for (const module of changed) {
    const name = `${partOf(module)}, ${groupOf(module)}`;
    byGroup.set(name, [...(byGroup.get(name) ?? []), module]);
  }
  const unread = nameUnread(checkpoint.keys());
  const kinds = kindsIn(checkpoint.keys());
  const decomposed = changed.some(({ component, path }) => rule(component ?? "unet", path).decomposed);
  const tokens = [...checkpoint.keys()].flatMap((key) => bundledEmbedding(key)?.token ?? []);
  const output = [...checkpoint.keys()].find((key) => isOutputEmbedding(bundledEmbedding(key)?.tensor ?? ""));
  return {
    kind: "lora",
    format: format ?? "unknown",
    kinds,
    tokens: [...new Set(tokens)],
    family:
      familyByWidth(changed.find(({ path }) => /attn2[._]to_[kv]$/.test(path))?.width) ??
      familyByNames(checkpoint.keys())?.versions,
    modules: changed.length,
    ranks: ascending(changed.map(({ rank }) => rank)),
    groups: [...byGroup.values()].map((those) => ({
      part: partOf(those[0]!),
      group: groupOf(those[0]!),
      modules: those.length,
      ranks: ascending(those.map(({ rank }) => rank)),
      alphas: ascending(
        those.map(({ component, path, alpha }) => alpha ?? (rule(component ?? "unet", path).alpha || undefined)),
      ),
      parameters: those.reduce((sum, { parameters }) => sum + parameters, 0),
    })),
    obstacles: [
      ...(unread === undefined ? [] : [`it is ${unread}`]),
      ...(output === undefined ? [] : [`it has an output embedding (${output})`]),
      ...(unknown.length === 0 ? [] : [`it has unknown keys: ${unknown.slice(0, 3).join(", ")}`]),
      ...refusal,
      ...(decomposed && !kinds.includes("DoRA")
        ? ["its configuration says DoRA, but it has no lora_magnitude_vector"]
        : []),
    ],
  };
}

/** The alphas in PEFT's configuration, beside the file or in it; if Tiller refuses it, the message. */
async function alphasTold(
  file: string,
  checkpoint: Checkpoint,
  metadata: Readonly<Record<string, string>>,
): Promise<{ rule: AlphaRule; refusal: readonly string[] }> {
  try {
    const beside = await alphasBeside(file, checkpoint.keys(), metadata);
    return { rule: beside ?? metadataAlphas(file, metadata), refusal: [] };
  } catch (error) {
    if (!(error instanceof TillerError)) throw error;
    return { rule: () => ({}), refusal: [error.message] };
  }
}

const partOf = ({ component }: Module): string => parts[component ?? "unet"]!;

const groupOf = ({ path }: Module): string => groups.find(([pattern]) => pattern.test(path))?.[1] ?? "other modules";

const ascending = (values: readonly (number | undefined)[]): number[] =>
  [...new Set(values.filter((value) => value !== undefined))].sort((a, b) => a - b);
