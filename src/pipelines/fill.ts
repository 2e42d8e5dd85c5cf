/** A request with everything in it, what is doubtful about it, and the recipe that repeats it. */
import { type Adapter, sites } from "../adapters/index.ts";
import { UsageError } from "../errors.ts";
import { defaultScale } from "../guidance/methods.ts";
import type { Recipe } from "../recipe/recipe.ts";
import { type FullRequest, type Request, requestSchema } from "../recipe/request.ts";
import { version } from "../version.ts";
import type { OpenAdapter, Parts } from "./load.ts";

export type Filled = FullRequest & { readonly scale: number; readonly width: number; readonly height: number };

/** The request with every default filled in, checked against the schema and the model. */
export function fill({ model: { defaults } }: Parts, request: Request): Filled {
  const parsed = requestSchema.safeParse(request);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new UsageError(`${issue?.path.join(".") || "the request"}: ${issue?.message}`);
  }
  const full = parsed.data;
  const filled = {
    ...full,
    scale: full.scale ?? defaultScale(full.guidance),
    width: full.width ?? defaults.width,
    height: full.height ?? defaults.height,
  };
  for (const side of ["width", "height"] as const) {
    if (filled[side] % defaults.sideMultiple !== 0) {
      throw new UsageError(`${side} ${filled[side]} is not divisible by ${defaults.sideMultiple}, as this model's are`);
    }
  }
  return filled;
}

/** What is allowed and probably not meant. */
export function doubts({ base, adapters }: Parts, { guidance, omega, scale }: Filled): string[] {
  const personalised = adapters.length > 0 || base !== undefined;
  const usesOmega = guidance.startsWith("pg");
  const needsAdapter = usesOmega || guidance === "ag" || guidance === "cfg+ag" || guidance === "autolora";
  return [
    ...(usesOmega && (omega < 0 || omega > 1)
      ? [`omega ${omega} lies outside 0 to 1, the range between the two models`]
      : []),
    ...(guidance.endsWith("++") && (scale < 0 || scale > 1)
      ? [`scale ${scale} lies outside 0 to 1, the range of ${guidance}`]
      : []),
    ...(needsAdapter && !personalised
      ? [`${guidance} compares a fine-tuned model with its base, but no adapter or base is given`]
      : []),
    ...idleStrengths(adapters),
  ];
}

/** An embedding is there or not; a strength finds nothing in it to weigh. */
const idleStrengths = (adapters: readonly OpenAdapter[]): string[] =>
  adapters
    .filter(({ adapter, strength }) => strength !== 1 && isEmbedding(adapter))
    .map(({ file, strength }) => `the strength ${strength} of ${file} does nothing: it is an embedding`);

const isEmbedding = (adapter: Adapter): boolean => adapter.tokens.size > 0 && sites([adapter]).size === 0;

/** What makes the picture again. */
export const recipeOf = ({ name: model, options, adapters }: Parts, request: FullRequest): Recipe => ({
  tiller: version,
  model,
  ...(options.base !== undefined && { base: options.base }),
  ...(options.variant !== undefined && { variant: options.variant }),
  ...(options.config !== undefined && { config: options.config }),
  adapters: adapters.map(({ adapter, file, strength, sha256 }) => ({ file, name: adapter.name, strength, sha256 })),
  request,
});
