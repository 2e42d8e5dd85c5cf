/** The options that commands share, parsed to a model to load and a request. */

import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, isAbsolute, join } from "node:path";
import { type Command, Option } from "commander";
import {
  type AdapterChoice,
  type DeviceName,
  deviceNames,
  embeddedModel,
  guidanceNames,
  type LoadOptions,
  type PictureRequest,
  type PrecisionName,
  pictureRequestSchema,
  precisionNames,
  type Recipe,
  readRecipe,
  samplerNames,
  TillerError,
} from "../index.ts";
import {
  comparable,
  type GivenRequest,
  karrasSamplerNames,
  parseAdapter,
  parseHubName,
  placeOf,
  readText,
  refuseInexactSeeds,
  refuseWithoutPicture,
  settingNames,
  settingOf,
  settingsNamed,
  sizeConditions,
  unmetSetting,
} from "../internal.ts";
import { optionOf, parseChoice, parsePlace, parseSize, parseWhole } from "./values.ts";

/** Options of every command. */
export interface CommonOptions {
  json?: true;
  device: DeviceName;
  precision?: PrecisionName;
  threads?: number;
  /** GiB. */
  memory?: number;
  verbose?: true;
}

/** Options of `generate` and `sweep` except the settings that a sweep varies. */
export interface PictureOptions extends CommonOptions {
  model?: string;
  prompt?: string;
  style?: string;
  negative?: string;
  instruction?: string;
  adapter?: AdapterChoice[];
  base?: string;
  revision?: string;
  variant?: string;
  config?: string;
  prediction?: "epsilon" | "v_prediction";
  attention?: "exact" | "averaged";
  tiling?: "auto" | "on" | "off";
  karras?: true;
  clipSkip?: number;
  count?: number;
  width?: number;
  height?: number;
  originalSize?: PictureRequest["originalSize"];
  crop?: PictureRequest["crop"];
  targetSize?: PictureRequest["targetSize"];
  negativeOriginalSize?: PictureRequest["originalSize"];
  negativeCrop?: PictureRequest["crop"];
  negativeTargetSize?: PictureRequest["targetSize"];
  image?: string;
  mask?: string;
  from?: string;
  out: string;
  profile?: true;
}

/** More threads than cores gain nothing, and thousands take minutes to start. */
const mostThreads = Math.max(64, availableParallelism());

export function addCommonOptions(command: Command): Command {
  return command
    .option("--json", "print one JSON object to standard output and nothing else")
    .option(
      "--device <name>",
      `device to run on: ${deviceNames.join(", ")}`,
      (text) => parseChoice("--device", text, deviceNames),
      "auto" as const,
    )
    .option(
      "--precision <name>",
      `number type of matrix products: ${precisionNames.join(", ")}; default: auto for new pictures, float32 with --from and elsewhere`,
      (text) => parseChoice("--precision", text, precisionNames),
    )
    .option("--threads <n>", "threads per operator; default: one per core", (text) =>
      parseWhole("--threads", text, 1, mostThreads),
    )
    .option("--memory <GiB>", "memory to plan with; default: this machine's, or its container's limit", (text) =>
      parseWhole("--memory", text, 1, 1 << 20),
    )
    .option("--verbose", "print stack traces of errors");
}

export function addPictureOptions(command: Command): Command {
  return command
    .option(
      "--model <model>",
      "a Diffusers folder, a single .safetensors or .ckpt file, or a hub id; default: dinghy, which comes with Tiller",
    )
    .option("--prompt <text>", "what to draw")
    .option("--style <text>", "style after the prompt, such as 'in digital art style'; see --guidance style")
    .option(
      "--negative <text>",
      "negative prompt: what to avoid; default: empty, or none at all for SDXL, which encodes even an empty one",
    )
    .option(
      "--instruction <file>",
      "text file with the instruction before the prompt, or none; for models with a language model as text encoder (SANA); default: the model's",
    )
    .option(
      "--adapter <file[:strength]>",
      "a LoRA, Custom Diffusion or embedding file; repeatable; default strength: 1; by component: file:unet=0.8,text_encoder=0.5",
      (text, before: AdapterChoice[] = []) => [...before, adapterOption(text)],
    )
    .option("--base <model>", "the pre-trained base of --model, if that is a full fine-tune")
    .option("--revision <name>", "branch, tag or commit of a hub id, as owner/name@NAME")
    .option("--variant <name>", "variant of the weights, such as fp16")
    .option("--config <model>", "a folder or hub id with a single-file model's configs and tokenizer")
    .addOption(predictionOption())
    .addOption(
      new Option(
        "--attention <how>",
        "averaged: keys and values of the largest self-attention averaged over 2x2 pixels, which is faster but loses details of the subject; default: exact",
      ).choices(["exact", "averaged"]),
    )
    .addOption(
      new Option(
        "--tiling <when>",
        "on: decode large pictures in tiles, which takes less memory and changes them slightly; off: never; default: auto, if memory asks for it",
      ).choices(["auto", "on", "off"]),
    )
    .option("--karras", `space the noise levels as Karras et al. do (${karrasSamplerNames.join(" and ")})`)
    .option("--clip-skip <n>", "last layers of the text encoder to skip; default: 0", (text) =>
      parseWhole("--clip-skip", text, 0),
    )
    .option("--count <n>", "number of pictures, each with the next seed; default: 1", (text) =>
      parseWhole("--count", text, 1),
    )
    .option(
      "--image <file>",
      "a picture to start from, scaled to cover the size and cut around its centre; default size: its shape in as many pixels as the model's own",
    )
    .option("--mask <file>", "what to repaint of --image: white; as large as --image")
    .option("--width <pixels>", "divisible by 8; default: the model's own", (text) => parseWhole("--width", text))
    .option("--height <pixels>", "divisible by 8; default: the model's own", (text) => parseWhole("--height", text))
    .option(
      "--original-size <width>x<height>",
      "size of the original that the picture is said to come from, for SDXL; default: the picture's own",
      sizeOption("--original-size"),
    )
    .option(
      "--crop <left>,<top>",
      "where the picture is said to be cut out of the original, for SDXL; default: 0,0",
      (text) => parsePlace("--crop", text),
    )
    .option(
      "--target-size <width>x<height>",
      "size that the picture is said to have, for SDXL; default: its own",
      sizeOption("--target-size"),
    )
    .option(
      "--negative-original-size <width>x<height>",
      "the same for the negative prompt; default: as for the prompt",
      sizeOption("--negative-original-size"),
    )
    .option("--negative-crop <left>,<top>", "the same for the negative prompt; default: as for the prompt", (text) =>
      parsePlace("--negative-crop", text),
    )
    .option(
      "--negative-target-size <width>x<height>",
      "the same for the negative prompt; default: as for the prompt",
      sizeOption("--negative-target-size"),
    )
    .option("--from <picture.png>", "repeat the recipe of a picture; other options override it")
    .option("--out <folder>", "where pictures are written; nothing is overwritten", "tiller-out")
    .option("--profile", "print the time per operator");
}

const sizeOption = (option: string) => (text: string) => parseSize(option, text);

/** What the network predicts, for files that do not say. */
export const predictionOption = (): Option =>
  new Option("--prediction <what>", "what the network predicts, if its files do not say so or are wrong").choices([
    "epsilon",
    "v_prediction",
  ]);

/** @throws TillerError that names the option. */
function adapterOption(text: string): AdapterChoice {
  try {
    return parseAdapter(text);
  } catch (error) {
    throw new TillerError("option-invalid", `--adapter ${(error as Error).message}`, { cause: error });
  }
}

/** A model and its adapters, from the command line or a recipe. */
export interface ModelChoice {
  readonly model: string;
  /** Whether neither named a model, so it is the embedded one. */
  readonly unnamed: boolean;
  readonly load: Pick<LoadOptions, "base" | "variant" | "config" | "prediction" | "attention" | "tiling"> & {
    readonly adapters: readonly AdapterChoice[];
  };
}

/** The recipe of the picture in `--from`, if given. */
export async function recipeFrom({ from }: PictureOptions): Promise<Recipe | undefined> {
  if (from === undefined) return undefined;
  const recipe = await readRecipe(from);
  // Pictures of experiments name adapters relative to the experiment's folder, which is two above theirs.
  const within = (file: string) => join(dirname(from), "..", "..", file);
  const adapters = recipe.adapters.map((one) =>
    !isAbsolute(one.file) && !existsSync(one.file) && existsSync(within(one.file))
      ? { ...one, file: within(one.file) }
      : one,
  );
  return { ...recipe, adapters };
}

/**
 * A hub id with its revision, as recipes record it.
 *
 * @throws TillerError if the model is not a hub id, or already has a revision.
 */
export function atRevision(model: string, revision: string | undefined): string {
  if (revision === undefined) return model;
  const hub = placeOf(model) === model ? parseHubName(model) : undefined;
  const { id, file } = hub ?? {};
  const named = parseHubName(`${id}@${revision}`);
  if (!hub || hub.revision !== undefined || !named) {
    throw new TillerError(
      "option-invalid",
      `--revision ${revision} needs a --model that is a hub id, owner/name, without a revision; it is ${model}.`,
    );
  }
  return `${id}@${revision}${file === undefined ? "" : `:${file}`}`;
}

/**
 * The model of the command line, else the recipe's, else the embedded one. A model from the command line drops the recipe's base,
 * variant, config and prediction, which belong to the recipe's model. Local paths become absolute, so that recipes work from any
 * folder.
 */
export function chooseModel(options: PictureOptions, recipe: Recipe | undefined): ModelChoice {
  const model = atRevision(options.model ?? recipe?.model ?? embeddedModel, options.revision);
  const same = options.model === undefined ? recipe : undefined;
  const base = options.base ?? same?.base;
  const variant = options.variant ?? same?.variant;
  const config = options.config ?? same?.config;
  const prediction = options.prediction ?? same?.prediction;
  const attention = options.attention ?? recipe?.attention;
  const tiling = options.tiling ?? (recipe?.tiled ? "on" : undefined);
  const adapters = options.adapter ?? recipe?.adapters.map(({ file, strength }) => ({ file, strength })) ?? [];
  return {
    model: placeOf(model),
    unnamed: options.model === undefined && recipe === undefined,
    load: {
      adapters: adapters.map((adapter) => ({ ...adapter, file: placeOf(adapter.file) })),
      ...(base !== undefined && { base: placeOf(base) }),
      ...(variant !== undefined && { variant }),
      ...(config !== undefined && { config: placeOf(config) }),
      ...(prediction !== undefined && { prediction }),
      ...(attention === "averaged" && { attention }),
      ...(tiling !== undefined && { tiling }),
    },
  };
}

/** Request settings as given; absent ones come from the recipe, then from the model. */
export type RequestOptions = { [K in keyof PictureRequest]?: PictureRequest[K] | undefined };

/** @throws TillerError if the instruction file cannot be read. */
export async function givenRequest(options: PictureOptions): Promise<RequestOptions> {
  const { prompt, style, negative, karras, clipSkip, count, width, height } = options;
  const [image, mask] = [options.image, options.mask].map((file) => file && placeOf(file));
  const instruction = options.instruction === undefined ? undefined : await instructionIn(options.instruction);
  const sizes = Object.fromEntries(sizeConditions.map((name) => [name, options[name]]));
  return { prompt, style, negative, instruction, karras, clipSkip, count, width, height, image, mask, ...sizes };
}

/** The text of a file without its final line break; "" for none. */
const instructionIn = async (file: string): Promise<string> =>
  file === "none" ? "" : (await readText(file, 1 << 16)).replace(/\r?\n$/, "");

/**
 * The request from options and recipe; settings in neither are left to the model.
 *
 * @throws TillerError naming the option that is missing or out of range.
 */
export function requestOf(given: RequestOptions, recipe: Recipe | undefined): GivenRequest {
  const request: RequestOptions = { ...recipe?.request };
  const [from, to] = [recipe?.request.guidance, given.guidance];
  if (from && to) {
    // A scale of 7.5 means nothing to cfg++, nor 0.4 to cfg: settings that mean something else to the recipe's method are
    // dropped, and so are settings that the new method does not have and that recipes record only when changed.
    for (const name of settingNames) {
      const isLater = settingsNamed(name)[0].told === "when changed";
      if (settingOf(to, name) ? !comparable(name, from, to) : isLater) delete request[name];
    }
  }
  for (const [key, value] of Object.entries(given)) if (value !== undefined) Object.assign(request, { [key]: value });
  if (request.prompt === undefined) {
    throw new TillerError("option-missing", '--prompt is missing: say what to draw, such as --prompt "a red cat".');
  }
  const parsed = pictureRequestSchema.safeParse(request);
  if (parsed.success) {
    // Without --guidance, the pipeline chooses the method and gives the same error.
    const unmet = parsed.data.guidance && unmetSetting(parsed.data.guidance, parsed.data);
    if (unmet) throw new TillerError("option-invalid", `${optionOf(unmet.name)} ${unmet.why}.`);
    refuseInexactSeeds(parsed.data);
    refuseWithoutPicture(parsed.data);
    return parsed.data;
  }
  const issue = parsed.error.issues[0]!;
  const key = String(issue.path[0]);
  throw new TillerError(
    "option-invalid",
    `${optionOf(key)} ${request[key as keyof PictureRequest]} ${explained(issue)}.`,
  );
}

export const parseGuidance = (text: string) => parseChoice("--guidance", text, guidanceNames);
export const parseSampler = (text: string) => parseChoice("--sampler", text, samplerNames);

type Issue = NonNullable<ReturnType<typeof pictureRequestSchema.safeParse>["error"]>["issues"][number];

function explained(issue: Issue): string {
  switch (issue.code) {
    case "too_small":
      return issue.inclusive === false
        ? `is too small: it must be more than ${issue.minimum}`
        : `is too small: the minimum is ${issue.minimum}`;
    case "too_big":
      return `is too large: the maximum is ${issue.maximum}`;
    case "not_multiple_of":
      return `is not divisible by ${issue.divisor}`;
    case "invalid_type":
      return issue.expected === "int" ? "is not a whole number" : `is not a ${issue.expected}`;
    default:
      return `is invalid: ${issue.message}`;
  }
}
