/** Parses adapter keys of every spelling into a component, a module and a role. */

import type { KeyPrefix } from "../families/family.ts";
import { keyEndOf, type Role, type Spelling } from "./naming.ts";

export interface LoraKey {
  /** Absent in very old files: then it is whichever component has the module. */
  readonly component: string | undefined;
  /** A dotted path, or in kohya's files the path with "_" for ".". */
  readonly module: string;
  readonly flat: boolean;
  readonly role: Role;
  readonly spelling: Spelling;
}

/** A parsed key, or undefined if its kind is not one that is applied. */
export function parseLoraKey(key: string, prefixes: readonly KeyPrefix[]): LoraKey | undefined {
  const end = keyEndOf(key);
  if (end?.role === undefined) return undefined;
  const { pattern, component, flat = false } = prefixes.find((prefix) => prefix.pattern.test(key))!;
  const module = key.replace(end.pattern, "").replace(pattern, "");
  return {
    component,
    module: flat ? module.replaceAll(".", "_") : present(module),
    flat,
    role: end.role,
    spelling: end.spelling,
  };
}

/** Current Diffusers and Transformers module names. */
function present(module: string): string {
  return module
    .replace(".processor.", ".")
    .replace(/\.self_attn\.to_(q|k|v)(_lora)?$/, ".self_attn.$1_proj")
    .replace(/\.self_attn\.to_out(_lora)?$/, ".self_attn.out_proj")
    .replace(/\.to_out(_lora)?$/, ".to_out.0")
    .replace(/^(?=encoder\.layers\.)/, "text_model.");
}
