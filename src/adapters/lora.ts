/** LoRA files in every spelling, as low-rank changes of the base model's modules. */
import { z } from "zod";
import { largest } from "../bytes/computable.ts";
import type { TensorRef } from "../bytes/tensor-ref.ts";
import { TillerError } from "../errors/index.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import { wrongSetting } from "../wrong-setting.ts";
import { type Adapter, type AdapterFormat, boundOf, type LowRank } from "./adapter.ts";
import { readFactor } from "./factor.ts";
import type { AdapterKind, AlphaRule, Base } from "./kind.ts";
import { type LoraKey, parseLoraKey, type Role } from "./lora-keys.ts";

/** LoRA in every spelling. */
export const lora: AdapterKind = {
  name: "LoRA",
  recognises: () => true,
  read: ({ file, tensors, metadata, alphas }, base) =>
    readLora(file, tensors, base, alphas ?? metadataAlphas(file, metadata)),
};

interface LoraContents {
  readonly format: AdapterFormat;
  readonly lowRank: Adapter["lowRank"];
}

type Entry = { [role in Role]?: { key: string; ref: TensorRef } };

/**
 * Reads the LoRA in `tensors`.
 *
 * @throws TillerError naming the first key that does not fit the base model, with both shapes, or that is not understood.
 */
async function readLora(
  file: string,
  tensors: ReadonlyMap<string, TensorRef>,
  base: Base,
  alphaOf: AlphaRule,
): Promise<LoraContents> {
  const weightsOf = (component: string): Checkpoint => base.components.get(component)!.weights;
  const flat = new Map(base.steered.map((one) => [one, base.adapters.flatNames(one, modulesOf(weightsOf(one)))]));
  const entries = new Map(base.steered.map((component) => [component, new Map<string, Entry>()]));
  const unknown: string[] = [];
  let format: AdapterFormat | undefined;
  for (const [key, ref] of tensors) {
    const parsed = parseLoraKey(key, base.adapters.prefixes);
    const place = parsed && locate(parsed, base, flat);
    if (!parsed || !place) {
      unknown.push(key);
      continue;
    }
    if (parsed.role === "down") format ??= parsed.flat ? "kohya" : parsed.spelling;
    const modules = entries.get(place.component)!;
    const entry = modules.get(place.module) ?? {};
    if (entry[parsed.role])
      throw new TillerError("adapter-damaged", `${file} changes ${place.module} twice, the second time in ${key}.`, {
        paths: [file],
      });
    entry[parsed.role] = { key, ref };
    modules.set(place.module, entry);
  }

  const lowRank = new Map<string, Map<string, LowRank>>();
  for (const [component, modules] of entries) {
    const changes = new Map<string, LowRank>();
    for (const [module, entry] of modules) {
      const host = weightsOf(component).get(`${module}.weight`)!;
      changes.set(module, await readLowRank(file, base.name, module, entry, host, alphaOf(component, module)));
    }
    if (changes.size > 0) lowRank.set(component, changes);
  }
  if (unknown.length > 0) {
    const others = unknown.length > 1 ? ` (and ${unknown.length - 1} more keys)` : "";
    throw new TillerError(
      "adapter-other-model",
      `${file} does not fit the model ${base.name}: it has ${unknown[0]}${others}, which the model has not. Is the adapter for another base model?`,
      { paths: [file] },
    );
  }
  return { format: format ?? "peft", lowRank };
}

/** A component's modules: whatever has a weight. */
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

async function readLowRank(
  file: string,
  model: string,
  module: string,
  { down, up, alpha }: Entry,
  host: TensorRef,
  rule: ReturnType<AlphaRule>,
): Promise<LowRank> {
  if (!down || !up) {
    const present = (down ?? up ?? alpha)!.key;
    throw new TillerError(
      "adapter-damaged",
      `${file} has ${present} but not its ${down ? "up" : "down"} half: the file is incomplete.`,
      { paths: [file] },
    );
  }
  const [out, ...inner] = host.shape as [number, ...number[]];
  const [rank = 0, ...downInner] = down.ref.shape;
  const [upOut = 0, upRank = 0, ...upInner] = up.ref.shape;
  const fits = sameKernel(downInner, inner) && upOut === out && upInner.every((n) => n === 1);
  if (!fits) {
    const { key, ref } = sameKernel(downInner, inner) ? up : down;
    const due = key === down.key ? [rank, ...inner] : [out, rank];
    throw new TillerError(
      "adapter-other-model",
      `${file} does not fit the model ${model}: ${key} is [${ref.shape.join(", ")}], but ${module} takes [${due.join(", ")}].`,
      { paths: [file] },
    );
  }
  if (upRank !== rank || rank === 0) {
    throw new TillerError(
      "adapter-damaged",
      `${file} is damaged: ${down.key} has rank ${rank}, ${up.key} rank ${upRank}.`,
      { paths: [file] },
    );
  }
  if (rule.ranks && !rule.ranks.includes(rank)) {
    throw new TillerError(
      "adapter-metadata",
      `${file} contradicts itself: its PEFT configuration says rank ${rule.ranks.join(" or ")}, but ${down.key} has rank ${rank}.`,
      { paths: [file] },
    );
  }
  const stored = alpha && (await readFactor(file, alpha.key, { ...alpha.ref, shape: [1] })).data[0];
  if (stored !== undefined && stored < 0)
    throw new TillerError("adapter-damaged", `${file} is damaged: ${alpha!.key} is ${stored}, less than 0.`, {
      paths: [file],
    });
  const effective = (stored === 0 ? undefined : stored) ?? rule.alpha ?? rank; // kohya: 0 means the rank
  const change = {
    down: await readFactor(file, down.key, { ...down.ref, shape: [rank, ...inner] }),
    up: await readFactor(file, up.key, { ...up.ref, shape: [out, rank] }),
    scale: effective / (rule.rootRank ? Math.sqrt(rank) : rank),
  };
  if (boundOf(change) > largest) {
    throw new TillerError(
      "adapter-not-finite",
      `${file} changes ${module} by numbers too large to compute with: alpha is ${effective}, beside ${up.key}.`,
      { paths: [file] },
    );
  }
  return change;
}

/** Whether factors over [in, kh, kw] fit a host; a matrix and a 1x1 kernel are the same. */
function sameKernel(a: readonly number[], b: readonly number[]): boolean {
  const trim = ([width, ...kernel]: readonly number[]) =>
    String([width, ...(kernel.every((n) => n === 1) ? [] : kernel)]);
  return a.length > 0 && trim(a) === trim(b);
}

const alpha = z.number().positive();
const rank = z.number().int().positive();
const peftConfig = z.looseObject({
  r: rank.optional(),
  rank_pattern: z.record(z.string(), rank).nullish(),
  lora_alpha: alpha.optional(),
  alpha_pattern: z.record(z.string(), alpha).nullish(),
  use_rslora: z.boolean().nullish(),
  use_dora: z.boolean().nullish(),
});

/** The alpha rule of one PEFT configuration. */
export function peftAlphas(file: string, config: unknown): (module: string) => ReturnType<AlphaRule> {
  const parsed = peftConfig.safeParse(config);
  if (!parsed.success)
    throw new TillerError(
      "adapter-metadata",
      `${file} has a PEFT configuration that cannot be used: ${wrongSetting(parsed.error)}.`,
      { paths: [file] },
    );
  const {
    r,
    rank_pattern: ranks,
    lora_alpha,
    alpha_pattern: alphas,
    use_rslora: rootRank,
    use_dora: dora,
  } = parsed.data;
  if (dora)
    throw new TillerError(
      "adapter-unsupported",
      `${file} is a DoRA adapter, which Tiller cannot apply: merge it into a model first.`,
      { paths: [file] },
    );
  // Which rank a pattern gives to which module is not asked: patterns may be regular expressions.
  const stated = r === undefined ? undefined : [r, ...Object.values(ranks ?? {})];
  return (module) => {
    // PEFT matches a pattern against the end of a module's path.
    const special = Object.entries(alphas ?? {}).find(([name]) => module === name || module.endsWith(`.${name}`));
    return { alpha: special?.[1] ?? lora_alpha, rootRank: rootRank ?? false, ranks: stated };
  };
}

/** The alpha rule that a file's own metadata states (`lora_adapter_metadata`, with a prefix for each component). */
export function metadataAlphas(file: string, metadata: Readonly<Record<string, string>>): AlphaRule {
  const text = metadata.lora_adapter_metadata;
  if (text === undefined) return () => ({});
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new TillerError("adapter-metadata", `${file} has lora_adapter_metadata that is not JSON.`, {
      paths: [file],
      cause: error,
    });
  }
  const all = z.record(z.string(), z.unknown()).catch({}).parse(parsed);
  const of = (prefix: string) =>
    peftAlphas(
      file,
      Object.fromEntries(
        Object.entries(all).flatMap(([k, v]) => (k.startsWith(prefix) ? [[k.slice(prefix.length), v]] : [])),
      ),
    );
  // Read here, so that a setting which is not understood is said before anything is drawn.
  const components = new Set(Object.keys(all).map((key) => key.slice(0, key.indexOf("."))));
  const rules = new Map([...components].map((component) => [component, of(`${component}.`)]));
  return (component, module) => rules.get(component)?.(module) ?? {};
}
