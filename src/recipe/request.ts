/** What a picture is asked for with: one schema for the command line, the library and the recipe inside a PNG. */
import { z } from "zod";
import {
  guidanceNames,
  type SettingName,
  type SettingValues,
  settingNames,
  settingsNamed,
  toldOf,
} from "../guidance/index.ts";
import { agScale, omega } from "../guidance/settings.ts";
import { samplerNames } from "../samplers/index.ts";

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
  guidance: z.enum(guidanceNames).default("cfg"),
  ...settingFields,
  sampler: z.enum(samplerNames).default("ddim"),
  /** DPM++ and Euler: Karras's spacing of sigmas. */
  karras: z.boolean().default(false),
  steps: z.number().int().min(1).max(1000).default(50),
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
/** A request with every default filled in that is the same for all models and methods. */
export type FullRequest = z.output<typeof requestSchema>;

/**
 * The request with its guidance settings as recipes record them: those that the method has, but for a scale that was not given.
 * Omega and the AG scale are there under every method, as they have been since the first recipes.
 */
export function withSettings(request: FullRequest): FullRequest {
  const { prompt, negative, guidance, ...rest } = request;
  const other = Object.entries(rest).filter(([key]) => !(settingNames as readonly string[]).includes(key));
  const { scale: _, ...told } = toldOf(guidance, request);
  const { scale = undefined, omega: w = omega.default, agScale: a = agScale.default } = { ...request, ...told };
  return {
    prompt,
    negative,
    guidance,
    ...(scale !== undefined && { scale }),
    omega: w,
    agScale: a,
    ...told,
    ...Object.fromEntries(other),
  } as FullRequest;
}
