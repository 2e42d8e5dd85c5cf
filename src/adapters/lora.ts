/** LoRA and related kinds in every spelling, as changes to the base model's modules; and embeddings bundled with them. */
import type { TensorRef } from "../bytes/tensor-ref.ts";
import { TillerError } from "../errors/index.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import type { Adapter, AdapterFormat, Factor, LowRank } from "./adapter.ts";
import { changesOf, type Entry } from "./changes.ts";
import type { AdapterKind, AlphaRule, Base } from "./kind.ts";
import { type LoraKey, parseLoraKey } from "./lora-keys.ts";
import {
  bundledEmbedding,
  called,
  familyByNames,
  familyByWidth,
  keyEndOf,
  kindsIn,
  otherThing,
  type Role,
} from "./naming.ts";
import { metadataAlphas } from "./peft-config.ts";
import { nameUnread } from "./refusals.ts";
import { readTextualInversion } from "./textual-inversion.ts";

export const lora: AdapterKind = {
  name: "LoRA",
  recognises: () => true,
  read: ({ file, tensors, metadata, alphas }, base) =>
    readLora(file, tensors, base, alphas ?? metadataAlphas(file, metadata)),
};

type LoraContents = Pick<Adapter, "format" | "lowRank" | "differences" | "tokens">;

/**
 * @throws TillerError naming the first key that does not fit the base model, with both shapes, or that is unknown.
 */
async function readLora(
  file: string,
  tensors: ReadonlyMap<string, TensorRef>,
  base: Base,
  alphaOf: AlphaRule,
): Promise<LoraContents> {
  const weightsOf = (component: string): Checkpoint => base.components.get(component)!.weights;
  const flat = new Map(base.steered.map((one) => [one, base.adapters.flatNames(one, modulesOf(weightsOf(one)))]));
  const entries = new Map(base.steered.map((component) => [component, new Map<string, MutableEntry>()]));
  const bundled = new Map<string, Map<string, TensorRef>>();
  const unknown: string[] = [];
  let format: AdapterFormat | undefined;
  for (const [key, ref] of tensors) {
    const embedding = bundledEmbedding(key);
    if (embedding) {
      bundled.set(embedding.token, (bundled.get(embedding.token) ?? new Map()).set(embedding.tensor, ref));
      continue;
    }
    const parsed = parseLoraKey(key, base.adapters.prefixes);
    const place = parsed && locate(parsed, base, flat);
    if (!parsed || !place) {
      unknown.push(key);
      continue;
    }
    if (parsed.role !== "alpha") format ??= parsed.flat ? "kohya" : parsed.spelling;
    if (ref.shape.includes(0))
      throw new TillerError(
        "adapter-damaged",
        `${file} is damaged: ${key} is empty, as when training on several devices saves one device's shard only (DeepSpeed's ZeRO-3). Export it again.`,
        { paths: [file] },
      );
    const modules = entries.get(place.component)!;
    const entry = modules.get(place.module) ?? {};
    if (entry[parsed.role])
      throw new TillerError("adapter-damaged", `${file} changes ${place.module} twice, the second time in ${key}.`, {
        paths: [file],
      });
    entry[parsed.role] = { key, ref, spelling: parsed.spelling };
    modules.set(place.module, entry);
  }
  refuseOtherWidth(file, tensors, base);
  if (unknown.length > 0) refuseUnknown(file, base, tensors, unknown);

  const lowRank = new Map<string, Map<string, LowRank>>();
  const differences = new Map<string, Map<string, Factor>>();
  for (const [component, modules] of entries) {
    const [factors, whole] = [new Map<string, LowRank>(), new Map<string, Factor>()];
    for (const [module, entry] of modules) {
      const rule = alphaOf(component, module);
      const changes = await changesOf({ file, model: base.name, module, weights: weightsOf(component), rule }, entry);
      if (changes.lowRank) factors.set(module, changes.lowRank);
      for (const [key, factor] of changes.differences) whole.set(key, factor);
    }
    if (factors.size > 0) lowRank.set(component, factors);
    if (whole.size > 0) differences.set(component, whole);
  }
  return { format: format ?? "peft", lowRank, differences, tokens: await tokensOf(file, bundled, base) };
}

type MutableEntry = { -readonly [role in Role]?: Entry[role] };

/** Each bundled embedding is read like a textual inversion file whose name is the token. */
async function tokensOf(
  file: string,
  bundled: ReadonlyMap<string, ReadonlyMap<string, TensorRef>>,
  base: Base,
): Promise<Adapter["tokens"]> {
  const tokens = new Map<string, Map<string, readonly Float32Array[]>>();
  for (const [token, tensors] of bundled) {
    for (const [component, table] of await readTextualInversion(file, tensors, base, { token })) {
      tokens.set(component, new Map([...(tokens.get(component) ?? []), ...table]));
    }
  }
  return tokens;
}

/** Tensors whose second axis is the module's input. */
const acrossInputs: ReadonlySet<Role | undefined> = new Set(["down", "hada_w1_b", "a2", "diff"]);

/** @throws TillerError if the width of the adapter's cross-attention is another known model's, naming that model. */
function refuseOtherWidth(
  file: string,
  tensors: ReadonlyMap<string, TensorRef>,
  { name, family: own, components, adapters }: Base,
): void {
  const [[component, [example] = []] = []] = Object.entries(adapters.keysValues);
  const width = components.get(component ?? "")?.weights.get(example ?? "")?.shape[1];
  for (const [key, { shape }] of tensors) {
    if (!acrossInputs.has(keyEndOf(key)?.role) || !/attn2[._](processor\.)?to_[kv](_lora)?\./.test(key)) continue;
    const family = shape[1] === width ? undefined : familyByWidth(shape[1]);
    if (family === undefined) continue;
    throw new TillerError(
      "adapter-other-model",
      `${file} is for ${family}, not for the model ${name} (${own}): ${key} takes text features of width ${shape[1]}, and the model's have ${width}.`,
      { paths: [file] },
    );
  }
}

/** @throws TillerError that names what the unknown keys are for, if they show it. */
function refuseUnknown(
  file: string,
  { name: model, family }: Pick<Base, "name" | "family">,
  tensors: ReadonlyMap<string, TensorRef>,
  unknown: readonly string[],
): never {
  const what = otherThing(unknown);
  const refuse = (code: "adapter-unsupported" | "adapter-other-model", sentence: string) => {
    throw new TillerError(code, `${file} ${sentence}`, { paths: [file] });
  };
  const fitting = tensors.size - unknown.length;
  const unread = nameUnread(unknown);
  if (unread !== undefined) return refuse("adapter-unsupported", `is ${unread}, which Tiller does not run.`);
  const [other, kind] = [familyByNames(unknown), kindsIn(unknown)[0]];
  if (other && kind && other.family !== family)
    return refuse(
      "adapter-other-model",
      `is ${called(kind)} for ${other.versions}, not for the model ${model} (${family}), which has no ${unknown[0]}.`,
    );
  if (what !== undefined && fitting === 0) return refuse("adapter-unsupported", `is ${what}.`);
  const [strange, misplaced] = [true, false].map((is) => unknown.find((key) => (keyEndOf(key) === undefined) === is));
  const named = (fitting === 0 ? misplaced : strange) ?? unknown[0]!;
  const others = unknown.length > 1 ? ` (and ${unknown.length - 1} more keys)` : "";
  if (fitting === 0 && misplaced === undefined)
    return refuse(
      "adapter-unsupported",
      `has ${named}${others}, which belongs to no kind of adapter that Tiller knows.`,
    );
  if (fitting === 0 || strange === undefined) {
    return refuse(
      "adapter-other-model",
      `does not fit the model ${model}: the model has no ${named}${others}. Is the adapter for another base model?`,
    );
  }
  return refuse(
    "adapter-unsupported",
    `has ${named}${others}, which Tiller does not know, beside ${fitting} keys that fit this model; without it the adapter would not work as its author intended.`,
  );
}

/** A component's modules: every path that has a weight. */
export const modulesOf = (weights: Checkpoint): string[] =>
  [...weights.keys()].filter((key) => key.endsWith(".weight")).map((key) => key.slice(0, -".weight".length));

function locate(
  { component, module, flat }: LoraKey,
  { components, steered }: Base,
  flatNames: ReadonlyMap<string, ReadonlyMap<string, string>>,
): { component: string; module: string } | undefined {
  for (const one of component === undefined ? steered : [component]) {
    const path = flat ? flatNames.get(one)?.get(module) : module;
    if (path !== undefined && components.get(one)?.weights.has(`${path}.weight`))
      return { component: one, module: path };
  }
  return undefined;
}
