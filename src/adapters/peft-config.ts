/** Alphas and ranks from PEFT's configuration, in adapter_config.json or in a file's own metadata. */
import { z } from "zod";
import { dirname, exists, join } from "#bytes";
import { jsonObject, readJson } from "../bytes/json-file.ts";
import { TillerError } from "../errors/index.ts";
import { wrongSetting } from "../wrong-setting.ts";
import type { AlphaRule } from "./kind.ts";

const rank = z.number().int().positive();
const alpha = z.number().positive();
const peftConfig = z.looseObject({
  r: rank.nullish(),
  rank_pattern: z.record(z.string(), rank).nullish(),
  lora_alpha: alpha.nullish(),
  /** Of LoHa and LoKr. */
  alpha: alpha.nullish(),
  alpha_pattern: z.record(z.string(), alpha).nullish(),
  use_rslora: z.boolean().nullish(),
  use_dora: z.boolean().nullish(),
  use_qalora: z.boolean().nullish(),
  init_lora_weights: z.union([z.boolean(), z.string()]).nullish(),
  alora_invocation_tokens: z.array(z.unknown()).nullish(),
  layer_replication: z.array(z.unknown()).nullish(),
});

/** The alpha rule of one PEFT configuration. @param file For messages. */
export function peftAlphas(file: string, config: unknown): (module: string) => ReturnType<AlphaRule> {
  const parsed = peftConfig.safeParse(config);
  if (!parsed.success)
    throw new TillerError(
      "adapter-metadata",
      `${file} has an invalid PEFT configuration: ${wrongSetting(parsed.error)}.`,
      { paths: [file] },
    );
  const { r, use_rslora, use_dora, use_qalora, init_lora_weights: start, ...found } = parsed.data;
  const partial = (["alora_invocation_tokens", "layer_replication"] as const).find((name) => found[name] != null);
  if (partial)
    throw new TillerError(
      "adapter-unsupported",
      `${file} was trained with ${partial}: Tiller applies only adapters that act on every token and on the model's layers as they are.`,
      { paths: [file] },
    );
  // These initialisations subtract the adapter's start values from the base weights, so the base model differs too.
  if (typeof start === "string" && /^(pissa|olora|corda|loftq|lora_ga)/i.test(start))
    throw unsupported(file, `init_lora_weights ${start}`);
  if (use_qalora) throw unsupported(file, "use_qalora");
  const ranks = patterns(file, found.rank_pattern);
  const alphas = patterns(file, found.alpha_pattern);
  return (module) => ({
    alpha: matching(alphas, module) ?? found.lora_alpha ?? found.alpha ?? undefined,
    rank: matching(ranks, module) ?? r ?? undefined,
    rootRank: use_rslora ?? false,
    decomposed: use_dora ?? false,
  });
}

const unsupported = (file: string, what: string): TillerError =>
  new TillerError(
    "adapter-unsupported",
    `${file} was trained with ${what}, which changes the base model's weights too: merge it into a model first.`,
    { paths: [file] },
  );

type Patterns = readonly (readonly [RegExp, number])[];

/** Limit against catastrophic backtracking: at most this many repetitions, and none nested. */
const mostRepetitions = 5;

/** PEFT's patterns are regular expressions that match a module's whole path or its end, after a dot. */
function patterns(file: string, given: Readonly<Record<string, number>> | null | undefined): Patterns {
  return Object.entries(given ?? {}).map(([pattern, value]) => {
    const repetitions = pattern.match(/[*+{]/g)?.length ?? 0;
    const nested = /\([^)]*[*+{][^)]*\)\s*[*+{]/.test(pattern);
    try {
      if (repetitions <= mostRepetitions && !nested)
        return [new RegExp(`^(.*\\.)?(${pattern.replaceAll("(?P<", "(?<")})$`), value] as const;
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
    throw new TillerError(
      "adapter-metadata",
      `${file} has a PEFT configuration with the pattern ${JSON.stringify(pattern)}, which is not a regular expression Tiller can use: write out the modules' names.`,
      { paths: [file] },
    );
  });
}

/** Newer Transformers paths do not start with text_model. */
const matching = (all: Patterns, module: string): number | undefined =>
  all.find(([pattern]) => pattern.test(module) || pattern.test(module.replace(/^text_model\./, "")))?.[1];

/** The alpha rule in a file's own metadata (`lora_adapter_metadata`, with a prefix for each component). */
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
  // Parsed eagerly, so that an invalid setting is reported up front.
  const components = new Set(Object.keys(all).map((key) => key.slice(0, key.indexOf("."))));
  const rules = new Map([...components].map((component) => [component, of(`${component}.`)]));
  return (component, module) => rules.get(component)?.(module) ?? {};
}

/** Whether the keys are those of a PEFT model. */
export const isPeft = (keys: Iterable<string>): boolean => [...keys].some((key) => key.startsWith("base_model.model."));

/** PEFT stores alphas in an adapter_config.json beside its file; it does not apply to other tools' files in that folder. */
export async function alphasBeside(
  file: string,
  keys: Iterable<string>,
  metadata: Readonly<Record<string, string>>,
): Promise<AlphaRule | undefined> {
  const config = join(dirname(file), "adapter_config.json");
  if (!isPeft(keys) || metadata.lora_adapter_metadata !== undefined || !(await exists(config))) return undefined;
  const rule = peftAlphas(config, await readJson(config, jsonObject));
  return (_, module) => rule(module);
}
