/** Completes a request, and gives the warnings about it and the recipe that repeats it. */
import { type Adapter, sites, trainingMethodOf } from "../adapters/index.ts";
import { TillerError } from "../errors/index.ts";
import type { ModelDefaults } from "../families/family.ts";
import { doubtOf, methodOf, settingsOf, unmetEvaluations, valuesOf } from "../guidance/index.ts";
import type { Recipe } from "../recipe/recipe.ts";
import {
  completed,
  type FullRequest,
  type PictureRequest,
  pictureRequestSchema,
  refuseInexactSeeds,
} from "../recipe/request.ts";
import { version } from "../version.ts";
import { defaultsWith } from "./defaults.ts";
import type { OpenAdapter, Parts } from "./load.ts";

export type Filled = FullRequest & { readonly width: number; readonly height: number };

/** The request with every default filled in, checked against the schema and the model. */
export function fill(parts: Parts, request: PictureRequest): Filled {
  const defaults = usualOf(parts);
  const parsed = pictureRequestSchema.safeParse(request);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new TillerError("setting-invalid", `${issue?.path.join(".") || "the request"}: ${issue?.message}.`);
  }
  const unmet = unmetEvaluations(parsed.data.guidance ?? defaults.guidance, parsed.data);
  if (unmet) throw new TillerError("setting-invalid", `${unmet.name} ${unmet.why}.`);
  refuseInexactSeeds(parsed.data);
  const full = completed(parsed.data, defaults);
  const filled = { ...full, width: full.width ?? defaults.width, height: full.height ?? defaults.height };
  for (const side of ["width", "height"] as const) {
    if (filled[side] % defaults.sideMultiple !== 0) {
      throw new TillerError(
        "size-invalid",
        `${side} ${filled[side]} is not a multiple of ${defaults.sideMultiple}, as this model needs.`,
      );
    }
  }
  return filled;
}

/** The defaults of a request with the current adapters. */
export const usualOf = ({ model, base, adapters }: Parts): ModelDefaults =>
  defaultsWith(
    model.defaults,
    adapters.map(({ adapter }) => trainingMethodOf(adapter.metadata)),
    base !== undefined,
  );

/** Warnings about settings that are allowed but probably not intended. */
export function doubts({ model, base, adapters }: Parts, request: Filled): string[] {
  const { guidance, sampler } = request;
  const { needs } = methodOf(guidance);
  const personalised = adapters.length > 0 || base !== undefined;
  const values = valuesOf(guidance, request);
  return [
    ...settingsOf(guidance).flatMap((setting) => doubtOf(setting, values[setting.name]!) ?? []),
    ...(needs.includes("fine-tuning") && !personalised
      ? [`${guidance} compares a fine-tuned model with its base, but no adapter or base is given`]
      : []),
    ...(needs.includes("ddim") && sampler !== "ddim" ? [`${guidance} is made for the sampler ddim`] : []),
    ...idleStrengths(adapters),
    ...(model.warnings ?? []),
    ...(base?.warnings ?? []),
    ...adapters.flatMap(({ adapter }) => adapter.warnings),
  ];
}

/** An embedding is either used or not: a strength has nothing to scale. */
const idleStrengths = (adapters: readonly OpenAdapter[]): string[] =>
  adapters
    .filter(({ adapter, strength }) => strength !== 1 && isEmbedding(adapter))
    .map(({ file, strength }) => `the strength ${strength} of ${file} has no effect: it is an embedding`);

const isEmbedding = (adapter: Adapter): boolean => adapter.tokens.size > 0 && sites([adapter]).size === 0;

/** What reproduces the picture. */
export const recipeOf = ({ name: model, options, adapters, engine }: Parts, request: FullRequest): Recipe => ({
  tiller: version,
  model,
  ...(options.base !== undefined && { base: options.base }),
  ...(options.variant !== undefined && { variant: options.variant }),
  ...(options.config !== undefined && { config: options.config }),
  ...(options.prediction !== undefined && { prediction: options.prediction }),
  adapters: adapters.map(({ adapter, file, strength, sha256 }) => ({ file, name: adapter.name, strength, sha256 })),
  ...(options.attention === "averaged" && { attention: options.attention }),
  computed: { device: engine.device, precision: engine.precision },
  request,
});
