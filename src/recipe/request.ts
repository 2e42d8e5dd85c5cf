/** What a picture is asked for with: one schema for the command line, the library and the recipe inside a PNG. */
import { z } from "zod";
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

/** A request as a caller writes it: defaults may be left out. */
export type Request = z.input<typeof requestSchema>;
/** A request that the schema has seen. What depends on the model may still be open. */
export type GivenRequest = z.output<typeof requestSchema>;
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
export const fullRequestSchema = requestSchema.extend({
  guidance: requestSchema.shape.guidance.unwrap().default(usualBefore.guidance),
  sampler: requestSchema.shape.sampler.unwrap().default(usualBefore.sampler),
  steps: requestSchema.shape.steps.unwrap().default(usualBefore.steps),
});
export type FullRequest = z.output<typeof fullRequestSchema>;

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
