/** What a LoRA file holds, whatever program wrote it; nothing is refused here. */
import { type Checkpoint, metadataAlphas, readFloat32, TillerError } from "../index.ts";
import { elements, familyByWidth } from "./inspect-tensors.ts";

export interface LoraReport {
  readonly kind: "lora";
  readonly format: string;
  /** The base model its widths fit, if that can be told. */
  readonly family: string | undefined;
  readonly modules: number;
  readonly ranks: readonly number[];
  readonly groups: readonly LoraGroup[];
  /** What Tiller cannot run in it. */
  readonly obstacles: readonly string[];
}

export interface LoraGroup {
  readonly part: string;
  readonly group: string;
  readonly modules: number;
  readonly ranks: readonly number[];
  /** As stored with the module or in PEFT's metadata; empty where the file has none, which means alpha = rank. */
  readonly alphas: readonly number[];
  readonly parameters: number;
}

const formats: readonly (readonly [RegExp, string])[] = [
  [/^lora_(unet|te\d?|transformer)_/, "kohya"],
  [
    /\.processor\.to_\w+_lora\.(down|up)\.weight$|\.to_\w+_lora\.(down|up)\.weight$/,
    "Diffusers, older attention processors",
  ],
  [/\.lora(_linear_layer)?\.(down|up)\.weight$/, "Diffusers"],
  [/\.lora_[AB](\.\w+)?\.weight$/, "PEFT"],
];

const down = /[._]lora_down\.weight$|[._]lora(?:_linear_layer)?\.down\.weight$|\.lora_A(?:\.\w+)?\.weight$/;
const up = /[._]lora_up\.weight$|[._]lora(?:_linear_layer)?\.up\.weight$|\.lora_B(?:\.\w+)?\.weight$/;
const alpha = /\.(?:network_)?alpha$/;
const lycoris = /\.(hada_w[12]|lokr_w[12]|oft_|on_input|diff(_b)?$|glora|boft)/;
const dora = /lora_magnitude_vector|dora_scale/;

/** Whether any tensor is part of a LoRA or one of its relatives. */
export function isLora(checkpoint: Checkpoint): boolean {
  for (const key of checkpoint.keys())
    if (down.test(key) || (key.startsWith("lora_") && lycoris.test(key))) return true;
  return false;
}

export async function describeLora(
  file: string,
  checkpoint: Checkpoint,
  metadata: Readonly<Record<string, string>>,
): Promise<LoraReport> {
  const keys = [...checkpoint.keys()];
  const { told, refusal } = alphasTold(file, metadata);
  const alphaOf = (name: string): number | undefined => {
    const [, part, path] = /^(unet|text_encoder)\.(.+)$/.exec(name) ?? [];
    const fromMetadata = path && told(part === "unet" ? "unet" : "textEncoder", path).alpha;
    return modules.get(name)?.alpha ?? (fromMetadata || undefined);
  };
  const modules = new Map<string, { rank?: number; alpha?: number; parameters: number; width?: number }>();
  const module = (name: string) => {
    const known = modules.get(name) ?? { parameters: 0 };
    modules.set(name, known);
    return known;
  };
  for (const [key, ref] of checkpoint) {
    const name = key.replace(down, "").replace(up, "").replace(alpha, "");
    if (down.test(key)) {
      Object.assign(module(name), { rank: ref.shape[0], width: ref.shape[1] });
      module(name).parameters += elements(ref.shape);
    } else if (up.test(key)) {
      module(name).parameters += elements(ref.shape);
    } else if (alpha.test(key) && elements(ref.shape) === 1 && ref.dtype.includes("float")) {
      module(name).alpha = (await readFloat32(ref))[0]!;
    }
  }
  const groups = new Map<string, { part: string; group: string; names: string[] }>();
  for (const [name, { rank }] of modules) {
    if (rank === undefined) continue;
    const [part, group] = [partOf(name), groupOf(name)];
    const found = groups.get(`${part} ${group}`) ?? { part, group, names: [] };
    groups.set(`${part} ${group}`, found);
    found.names.push(name);
  }
  const sorted = (values: readonly (number | undefined)[]) =>
    [...new Set(values.filter((value) => value !== undefined))].sort((a, b) => a - b);
  const crossKey = [...modules].find(([name]) => /attn2[._](processor[._])?to_[kv](_lora)?$/.test(name));
  return {
    kind: "lora",
    format: formats.find(([pattern]) => keys.some((key) => pattern.test(key)))?.[1] ?? "unknown",
    family: familyByWidth(crossKey?.[1].width),
    modules: [...modules.values()].filter(({ rank }) => rank !== undefined).length,
    ranks: sorted([...modules.values()].map(({ rank }) => rank)),
    groups: [...groups.values()].map(({ part, group, names }) => ({
      part,
      group,
      modules: names.length,
      ranks: sorted(names.map((name) => modules.get(name)?.rank)),
      alphas: sorted(names.map(alphaOf)),
      parameters: names.reduce((sum, name) => sum + (modules.get(name)?.parameters ?? 0), 0),
    })),
    obstacles: [
      ...(keys.some((key) => dora.test(key)) ? ["it is a DoRA, with a magnitude for each output"] : []),
      ...(keys.some((key) => lycoris.test(key)) ? ["it holds LyCORIS factors other than plain LoRA"] : []),
      ...refusal,
    ],
  };
}

/** What PEFT's metadata says of alphas; where Tiller refuses it, its sentence. */
function alphasTold(file: string, metadata: Readonly<Record<string, string>>) {
  try {
    return { told: metadataAlphas(file, metadata), refusal: [] };
  } catch (error) {
    if (!(error instanceof TillerError)) throw error;
    return { told: metadataAlphas(file, {}), refusal: [error.message] };
  }
}

function partOf(name: string): string {
  const [, kohya] = /^lora_(te\d?|unet|transformer)_/.exec(name) ?? [];
  const part = kohya ?? /^(unet|text_encoder(?:_2)?|transformer)\./.exec(name)?.[1];
  if (part?.startsWith("te"))
    return part === "te" || part === "te1" || part === "text_encoder" ? "text encoder" : "text encoder 2";
  if (part === "transformer") return part;
  return part === undefined && name.includes("text_model") ? "text encoder" : "U-Net";
}

function groupOf(name: string): string {
  const groups: readonly (readonly [RegExp, string])[] = [
    [/attn1/, "self-attention"],
    [/attn2|cross_attn/, "cross-attention"],
    [/self_attn/, "self-attention"],
    [/ff[._]net|[._]mlp[._]/, "feed-forward"],
    [/time_emb|emb_layers|time_embed/, "time embedding"],
    [/proj_(in|out)/, "projections around attention"],
    [/conv|resnets|in_layers|out_layers|skip_connection|samplers|_op$/, "convolutions"],
  ];
  return groups.find(([pattern]) => pattern.test(name))?.[1] ?? "other modules";
}
