/** The spellings of LoRA keys, brought to one: a component, a module and a role. */

import type { KeyPrefix } from "../families/family.ts";

export type Role = "down" | "up" | "alpha";

export interface LoraKey {
  /** Absent in very old files: then it is whichever has such a module. */
  readonly component: string | undefined;
  /** A dotted path, or for kohya's files the path with "_" for ".". */
  readonly module: string;
  readonly flat: boolean;
  readonly role: Role;
  readonly spelling: "peft" | "diffusers" | "diffusers-old" | "kohya";
}

const roles: readonly (readonly [RegExp, Role, LoraKey["spelling"]])[] = [
  [/\.lora_A(\.\w+)?\.weight$/, "down", "peft"],
  [/\.lora_B(\.\w+)?\.weight$/, "up", "peft"],
  [/\.lora_down\.weight$/, "down", "kohya"],
  [/\.lora_up\.weight$/, "up", "kohya"],
  [/\.(lora|lora_linear_layer)\.down\.weight$/, "down", "diffusers"],
  [/\.(lora|lora_linear_layer)\.up\.weight$/, "up", "diffusers"],
  [/_lora\.down\.weight$/, "down", "diffusers-old"],
  [/_lora\.up\.weight$/, "up", "diffusers-old"],
  [/\.alpha$/, "alpha", "kohya"],
];

/** What a key says, or undefined if it is no LoRA key. */
export function parseLoraKey(key: string, prefixes: readonly KeyPrefix[]): LoraKey | undefined {
  const suffix = roles.find(([pattern]) => pattern.test(key));
  if (!suffix) return undefined;
  const [suffixPattern, role, spelling] = suffix;
  const { pattern, component, flat = false } = prefixes.find((prefix) => prefix.pattern.test(key))!;
  const module = key.replace(suffixPattern, "").replace(pattern, "");
  return { component, module: flat ? module : present(module), flat, role, spelling };
}

/** Module names as Diffusers and Transformers have them now. */
function present(module: string): string {
  return module
    .replace(".processor.", ".")
    .replace(/\.self_attn\.to_(q|k|v)(_lora)?$/, ".self_attn.$1_proj")
    .replace(/\.self_attn\.to_out(_lora)?$/, ".self_attn.out_proj")
    .replace(/\.to_out(_lora)?$/, ".to_out.0")
    .replace(/^(?=encoder\.layers\.)/, "text_model.");
}
