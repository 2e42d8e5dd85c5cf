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
import { agScale, omega, scale } from "../guidance/settings.ts";
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
  const { least, most, whole } = setting;
  const number = whole ? z.number().int() : z.number().finite();
  const from = least === undefined ? number : number.min(least);
  return most === undefined ? from : from.max(most);
}

/** What a request for pictures looks like: for an API of your own. */
export const pictureRequestSchema = z.strictObject({
  /** What to draw. */
  prompt: z.string(),
  /** Stands in the place of the null prompt. */
  negative: z.string().default(""),
  /** What goes before the prompt, of models whose text encoder is a language model: "" for nothing; the model's own when absent. */
  instruction: z.string().max(20_000).optional(),
  /** The guidance method; the model's own when absent. */
  guidance: z.enum(guidanceNames).optional(),
  ...settingFields,
  /** The sampler; the model's own when absent. */
  sampler: z.enum(samplerNames).optional(),
  /** Karras's spacing of sigmas, of the samplers that have it. */
  karras: z.boolean().default(false),
  /** Its steps, 1 to 1000; the model's own when absent. */
  steps: z.number().int().min(1).max(1000).optional(),
  /** Picture i of `count` starts from the noise of seed + i, which is PyTorch's; 0 by default. */
  seed: seed.default(0),
  /** How many pictures; 1 by default. */
  count: z.number().int().min(1).max(10_000).default(1),
  /** Pixels, a multiple of 8; the model's own when absent. */
  width: side.optional(),
  /** Pixels, a multiple of 8; the model's own when absent. */
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
export interface PictureRequest extends z.input<typeof pictureRequestSchema> {}
/** A request that the schema has seen. What depends on the model may still be open. */
export type GivenRequest = z.output<typeof pictureRequestSchema>;
/** What a model gives a request that leaves it open. */
export interface UsualSettings {
  readonly guidance: GuidanceName;
  readonly sampler: SamplerName;
  readonly steps: number;
  readonly scale: number;
  readonly omega: number;
}

/** What recipes and experiments of before mean by what they leave out: every model had the same. */
export const usualBefore = {
  guidance: "cfg",
  sampler: "ddim",
  steps: 50,
  scale: scale.default,
  omega: omega.default,
} as const satisfies UsualSettings;

/** A request as recipes have it. */
export const fullRequestSchema = pictureRequestSchema.extend({
  /** The guidance method. */
  guidance: pictureRequestSchema.shape.guidance.unwrap().default(usualBefore.guidance),
  /** The sampler. */
  sampler: pictureRequestSchema.shape.sampler.unwrap().default(usualBefore.sampler),
  /** Its steps. */
  steps: pictureRequestSchema.shape.steps.unwrap().default(usualBefore.steps),
});
/** A request as recipes have it: everything that made the picture. */
export interface FullRequest extends z.output<typeof fullRequestSchema> {}

/**
 * The request with what the model usually has where it leaves that open, and its guidance settings as recipes record them:
 * those that the method has. Scale, omega and the AG scale are there under every method, as they have been since the first
 * recipes. Only the size may still be the model's.
 */
export function completed(given: GivenRequest, usual: UsualSettings): FullRequest {
  const { prompt, negative, guidance = usual.guidance, ...rest } = given;
  const open = { ...rest, sampler: given.sampler ?? usual.sampler, steps: given.steps ?? usual.steps };
  const other = Object.entries(open).filter(([key]) => !(settingNames as readonly string[]).includes(key));
  const told = toldOf(guidance, given, usual);
  return {
    prompt,
    negative,
    guidance,
    scale: given.scale ?? usual.scale,
    omega: given.omega ?? usual.omega,
    agScale: given.agScale ?? agScale.default,
    ...told,
    ...Object.fromEntries(other),
  } as FullRequest;
}
