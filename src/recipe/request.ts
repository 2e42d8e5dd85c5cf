/** What a picture is asked for with: one schema for the command line, the library and the recipe inside a PNG. */
import { z } from "zod";
import { TillerError } from "../errors/index.ts";
import {
  type GuidanceName,
  guidanceNames,
  type SettingName,
  type SettingValues,
  settingNames,
  settingsNamed,
  toldOf,
} from "../guidance/index.ts";
import { agScale } from "../guidance/settings.ts";
import { type SamplerName, samplerNames } from "../samplers/index.ts";

export { type GuidanceName, guidanceNames } from "../guidance/index.ts";
export { type SamplerName, samplerNames } from "../samplers/index.ts";

/** The largest seed PyTorch's generator takes as given; larger ones lose bits in a JavaScript number. */
const seed = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const side = z.number().int().min(8).max(8192).multipleOf(8, "must be divisible by 8");

type SettingFields = { [N in SettingName]: z.ZodOptional<z.ZodType<SettingValues[N], SettingValues[N]>> };

/** A field for each setting of the guidance methods. Absent, it is the method's default. */
export const settingFields = Object.fromEntries(
  settingNames.map((name) => [name, settingField(name).optional()]),
) as unknown as SettingFields;

/** What a setting may be, without a default. */
function settingField(name: SettingName): z.ZodType<number | string> {
  const [setting] = settingsNamed(name);
  if (setting.kind === "choice") return z.enum(setting.choices);
  const { least, most } = setting;
  const from = least === undefined ? z.number().finite() : z.number().finite().min(least);
  return most === undefined ? from : from.max(most);
}

export const requestSchema = z.strictObject({
  prompt: z.string(),
  /** Stands in the place of the null prompt. */
  negative: z.string().default(""),
  /** Absent, it is the model's, as are sampler, steps and size. */
  guidance: z.enum(guidanceNames).optional(),
  ...settingFields,
  sampler: z.enum(samplerNames).optional(),
  /** Karras's spacing of sigmas, of the samplers that have it. */
  karras: z.boolean().default(false),
  steps: z.number().int().min(1).max(1000).optional(),
  /** Picture i of `count` starts from the noise of seed + i. */
  seed: seed.default(0),
  count: z.number().int().min(1).max(10_000).default(1),
  /** Pixels; the model's own size when absent. */
  width: side.optional(),
  height: side.optional(),
  /** Text encoder layers to leave out at the end: 1 takes the penultimate layer's state. */
  clipSkip: z.number().int().min(0).max(12).default(0),
});

/**
 * Picture i has the seed + i.
 *
 * @param seed a whole number from 0 to 2^53 - 1, the first picture's.
 * @param count how many pictures, at least 1.
 * @throws TillerError `seed-invalid` if the last picture's seed is beyond 2^53 - 1, where numbers are no longer exact.
 */
export function refuseInexactSeeds({ seed, count }: { readonly seed: number; readonly count: number }): void {
  const most = Number.MAX_SAFE_INTEGER - (count - 1);
  if (seed <= most) return;
  throw new TillerError(
    "seed-invalid",
    `seed ${seed} is too large for ${count} pictures, each of which has the next seed: ${most} is the most.`,
  );
}

/** A request as a caller writes it: defaults may be left out. */
export type Request = z.input<typeof requestSchema>;
/** A request that the schema has seen. What depends on the model may still be open. */
export type GivenRequest = z.output<typeof requestSchema>;
/** What a model gives a request that leaves it open. */
export interface UsualSettings {
  readonly guidance: GuidanceName;
  readonly sampler: SamplerName;
  readonly steps: number;
  readonly omega: number;
}

/** A request as recipes have it. What one leaves out is what it meant when every model had the same. */
export const fullRequestSchema = requestSchema.extend({
  guidance: requestSchema.shape.guidance.unwrap().default("cfg"),
  sampler: requestSchema.shape.sampler.unwrap().default("ddim"),
  steps: requestSchema.shape.steps.unwrap().default(50),
});
export type FullRequest = z.output<typeof fullRequestSchema>;

/**
 * The request with what the model usually has where it leaves that open, and its guidance settings as recipes record them:
 * those that the method has, but for a scale that was not given. Omega and the AG scale are there under every method, as
 * they have been since the first recipes.
 */
export function completed(given: GivenRequest, usual: UsualSettings): FullRequest {
  const { prompt, negative, guidance = usual.guidance, ...rest } = given;
  const open = { ...rest, sampler: given.sampler ?? usual.sampler, steps: given.steps ?? usual.steps };
  const other = Object.entries(open).filter(([key]) => !(settingNames as readonly string[]).includes(key));
  const request = { ...given, omega: given.omega ?? usual.omega };
  const { scale: _, ...told } = toldOf(guidance, request);
  const { scale = undefined, omega, agScale: a = agScale.default } = { ...request, ...told };
  return {
    prompt,
    negative,
    guidance,
    ...(scale !== undefined && { scale }),
    omega,
    agScale: a,
    ...told,
    ...Object.fromEntries(other),
  } as FullRequest;
}
