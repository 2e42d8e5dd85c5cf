/** The request for pictures: one schema for the command line, the library and the recipe in a PNG. */
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
import { isOmega, omegaForms } from "../guidance/omega.ts";
import { agScale, omega, scale } from "../guidance/settings.ts";
import { isPixels, type Pixels } from "../images/pixels.ts";
import { type SamplerName, samplerNames } from "../samplers/index.ts";

export { type GuidanceName, guidanceNames } from "../guidance/index.ts";
export { type SamplerName, samplerNames } from "../samplers/index.ts";

/** Larger seeds would lose bits in a JavaScript number. */
const seed = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
/** Sizes and places that a model is told, which need not be the picture's own. */
const told = z.number().int().min(0).max(65_536);
const size = z.strictObject({
  /** Pixels. */
  width: told,
  /** Pixels. */
  height: told,
});
const place = z.strictObject({
  /** Pixels from the left edge. */
  left: told,
  /** Pixels from the top edge. */
  top: told,
});
const side = z.number().int().min(8).max(8192).multipleOf(8, "must be divisible by 8");

type SettingFields = { [N in SettingName]: z.ZodOptional<z.ZodType<SettingValues[N], SettingValues[N]>> };

/** A field for each setting of the guidance methods; if absent, the method's default applies. */
export const settingFields = Object.fromEntries(
  settingNames.map((name) => [name, settingField(name).optional()]),
) as unknown as SettingFields;

/** A setting's schema, without a default. */
function settingField(name: SettingName): z.ZodType<number | string> {
  const [setting] = settingsNamed(name);
  if (setting.kind === "choice") return z.enum(setting.choices);
  if (setting.kind === "omega")
    return z.union([z.number().finite(), z.string().refine(isOmega, `must be ${omegaForms}`)]);
  const { least, most, whole } = setting;
  const number = whole ? z.number().int() : z.number().finite();
  const from = least === undefined ? number : number.min(least);
  return most === undefined ? from : from.max(most);
}

/** A picture that a request starts from, as a recipe records it. */
export const recordedPictureSchema = z.strictObject({
  /** Its file; absent if it was passed as pixels. */
  file: z.string().min(1).optional(),
  /** SHA-256 of the file in hexadecimal; of width, height and pixels, if it was passed as pixels. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

/** A picture that a request starts from: a file, its pixels, or as a recipe records it. */
const givenPictureSchema = z.union([
  z.string().min(1),
  recordedPictureSchema,
  z.custom<Pixels>((value) => isPixels(value), "must be the name of a file, or a picture in memory"),
]);

/** A picture that a request starts from: a file, its pixels, or as a recipe records it. */
export type GivenPicture = z.output<typeof givenPictureSchema>;
/** A picture that a request starts from, as a recipe records it. */
export interface RecordedPicture extends z.output<typeof recordedPictureSchema> {}

/** The schema of a request for pictures, for building your own API. */
export const pictureRequestSchema = z.strictObject({
  /** What to draw. */
  prompt: z.string(),
  /** Style after the prompt, such as `in digital art style`, which style guidance leaves out in the pre-trained model. */
  style: z.string().optional(),
  /** Negative prompt: replaces the null prompt. Without one, some models (SDXL) use zeros; with `""` they encode the empty text. */
  negative: z.string().optional(),
  /** Instruction before the prompt, for models with a language model as text encoder: "" for none; the model's default if absent. */
  instruction: z.string().max(20_000).optional(),
  /** The guidance method; the model's own when absent. */
  guidance: z.enum(guidanceNames).optional(),
  ...settingFields,
  /** The sampler; the model's own when absent. */
  sampler: z.enum(samplerNames).optional(),
  /** Karras sigmas, for samplers that have them. */
  karras: z.boolean().default(false),
  /** Sampling steps, 1 to 1000; the model's own when absent. */
  steps: z.number().int().min(1).max(1000).optional(),
  /** Picture i of `count` starts from PyTorch's noise for seed + i; 0 by default. */
  seed: seed.default(0),
  /** How many pictures; 1 by default. */
  count: z.number().int().min(1).max(10_000).default(1),
  /** Pixels, a multiple of 8; the model's own when absent. */
  width: side.optional(),
  /** Pixels, a multiple of 8; the model's own when absent. */
  height: side.optional(),
  /** A picture to start from. Its parts that do not fit the size are cut off. */
  image: givenPictureSchema.optional(),
  /** Which part of the picture to repaint: white; black stays. As large as the picture. */
  mask: givenPictureSchema.optional(),
  /**
   * How much of the picture is given up: the share of the steps that is drawn, above 0 and at most 1; 0.8 by default, and 1 with a
   * mask.
   */
  strength: z.number().gt(0).max(1).optional(),
  /** For models conditioned on sizes (SDXL): the size of the original that the picture is told to come from; by default its own. */
  originalSize: size.optional(),
  /** Where the picture is told to have been cropped from the original; by default at 0, 0. */
  crop: place.optional(),
  /** The size that the picture is told to have; by default its own. */
  targetSize: size.optional(),
  /** The original size of the rows with the null or negative prompt; by default that of the others. */
  negativeOriginalSize: size.optional(),
  /** Their crop. */
  negativeCrop: place.optional(),
  /** Their target size. */
  negativeTargetSize: size.optional(),
  /** Number of last text encoder layers to skip: 1 takes the penultimate layer's output. */
  clipSkip: z.number().int().min(0).max(12).default(0),
});

/**
 * Checks that all seeds are exact; picture i has seed + i.
 *
 * @param seed the first picture's, a whole number from 0 to 2^53 - 1.
 * @param count number of pictures, at least 1.
 * @throws TillerError `seed-invalid` if the last picture's seed is beyond 2^53 - 1, where numbers are no longer exact.
 */
export function refuseInexactSeeds({ seed, count }: { readonly seed: number; readonly count: number }): void {
  const most = Number.MAX_SAFE_INTEGER - (count - 1);
  if (seed <= most) return;
  throw new TillerError(
    "seed-invalid",
    `seed ${seed} is too large for ${count} pictures, which have consecutive seeds: use ${most} or less.`,
  );
}

/** @throws TillerError `image-missing` if a mask or a strength is given without a picture. */
export function refuseWithoutPicture({
  image,
  mask,
  strength,
}: Pick<GivenRequest, "image" | "mask" | "strength">): void {
  if (image !== undefined || (mask === undefined && strength === undefined)) return;
  const what = mask === undefined ? `strength ${strength}` : "a mask";
  throw new TillerError("image-missing", `${what} says what to do with a picture, and no image is given: add one.`);
}

/** A request as a caller writes it: fields with defaults may be left out. */
export interface PictureRequest extends z.input<typeof pictureRequestSchema> {}
/** A parsed request. Fields whose defaults come from the model may still be absent. */
export type GivenRequest = z.output<typeof pictureRequestSchema>;
/** A model's defaults for what a request leaves out. */
export interface UsualSettings {
  readonly guidance: GuidanceName;
  readonly sampler: SamplerName;
  readonly steps: number;
  readonly scale: number;
  readonly omega: number;
  readonly negative?: string | undefined;
  readonly strength?: number | undefined;
}

/** The fields about sizes and crops, for models conditioned on them. */
export const sizeConditions = [
  ...(["originalSize", "crop", "targetSize"] as const),
  ...(["negativeOriginalSize", "negativeCrop", "negativeTargetSize"] as const),
] as const;

/** Defaults for recipes and experiments from before models had their own. */
export const usualBefore = {
  guidance: "cfg",
  sampler: "ddim",
  steps: 50,
  scale: scale.default,
  omega: omega.default,
  negative: "",
} as const satisfies UsualSettings;

/** The schema of a request with the defaults of recipes from before models had their own. */
export const fullRequestSchema = pictureRequestSchema.extend({
  /** The guidance method. */
  guidance: pictureRequestSchema.shape.guidance.unwrap().default(usualBefore.guidance),
  /** The sampler. */
  sampler: pictureRequestSchema.shape.sampler.unwrap().default(usualBefore.sampler),
  /** Sampling steps. */
  steps: pictureRequestSchema.shape.steps.unwrap().default(usualBefore.steps),
});
/** A request with every default filled in but the size. */
export interface FullRequest extends z.output<typeof fullRequestSchema> {}

/** The schema of a request in a recipe: everything that made the picture. */
export const recordedRequestSchema = fullRequestSchema.extend({
  /** The picture it starts from. */
  image: recordedPictureSchema.optional(),
  /** Which part of it is repainted. */
  mask: recordedPictureSchema.optional(),
});
/** A request in a recipe: everything that made the picture. */
export interface RecordedRequest extends z.output<typeof recordedRequestSchema> {}

/** The strength of requests that name none, as in Diffusers: with a mask, the part to repaint is drawn anew. */
const usualStrength = ({ mask }: Pick<GivenRequest, "mask">): number => (mask === undefined ? 0.8 : 1);

/** How many of the request's steps are drawn: with a picture, those after the noise level that it starts at. */
export function stepsOf({ image, steps, ...rest }: Pick<FullRequest, "image" | "mask" | "strength" | "steps">): number {
  return image === undefined ? steps : Math.trunc(steps * (rest.strength ?? usualStrength(rest)));
}

/**
 * The request with the model's defaults filled in, and the method's guidance settings as recipes record them. Scale, omega and
 * the AG scale are recorded for every method, as in the first recipes. Only the size may still be absent.
 */
export function completed(given: GivenRequest, usual: UsualSettings): FullRequest {
  const { prompt, negative = usual.negative, guidance = usual.guidance, ...rest } = given;
  const open = { ...rest, sampler: given.sampler ?? usual.sampler, steps: given.steps ?? usual.steps };
  const other = Object.entries(open).filter(([key]) => !(settingNames as readonly string[]).includes(key));
  const told = toldOf(guidance, given, usual);
  return {
    prompt,
    ...(negative !== undefined && { negative }),
    guidance,
    scale: given.scale ?? usual.scale,
    omega: given.omega ?? usual.omega,
    agScale: given.agScale ?? agScale.default,
    ...told,
    ...Object.fromEntries(other),
    ...(given.image !== undefined && { strength: given.strength ?? usual.strength ?? usualStrength(given) }),
  } as FullRequest;
}
