/** An experiment: what is personalised, how it is guided, on which concepts and prompts. One small JSON file. */
import { basename } from "node:path";
import { z } from "zod";
import { jsonObject, readJson } from "../bytes/json-file.ts";
import { UsageError } from "../errors.ts";
import { embeddedModel } from "../families/embedded.ts";
import { defaultScale } from "../guidance/methods.ts";
import { settingsOf } from "../guidance/telling-settings.ts";
import { protocols } from "../metrics/encoders.ts";
import { guidanceNames, samplerNames } from "../recipe/request.ts";
import { type RecipeName, recipeNames, recipes } from "../training/methods/index.ts";
import { wrongSetting } from "../wrong-setting.ts";

const whole = z.number().int().positive();
const some = z.union([z.number(), z.array(z.number()).min(1)]).transform((v) => (Array.isArray(v) ? v : [v]));

/** Training settings that an experiment may vary; the others are the recipe's. */
const trainedSchema = z.strictObject({
  recipe: z.enum(recipeNames as [RecipeName, ...RecipeName[]]),
  steps: whole.optional(),
  rank: whole.optional(),
  learningRate: z.number().positive().optional(),
  batch: whole.optional(),
  prior: z.boolean().optional(),
  priorCount: whole.optional(),
  seed: z.number().int().nonnegative().optional(),
});

/** Adapters that exist already, for a concept of one's own. */
const givenSchema = z.strictObject({ adapters: z.array(z.string()).min(1) });

const guidanceSchema = z.strictObject({
  method: z.enum(guidanceNames),
  scale: some.optional(),
  omega: some.refine((all) => all.every((w) => w >= 0 && w <= 1), "must be 0 to 1").optional(),
  agScale: some.optional(),
});

const ownConceptSchema = z.strictObject({
  name: z.string().regex(/^[\w.-]+$/, "must be made of letters, digits, dots, dashes and underscores"),
  /** The folder of its pictures. */
  images: z.string(),
  /** What kind of thing it is: `cat`. */
  class: z.string().min(1),
  /** Takes the prompts of people and animals, clothes among them. */
  live: z.boolean(),
});

export const experimentSchema = z.strictObject({
  name: z.string().regex(/^\w[\w.-]*$/, "must be made of letters, digits, dots, dashes and underscores"),
  /** A folder, a single file, a hub id, or `dinghy`. */
  model: z.string().default(embeddedModel),
  personalisation: z.array(z.union([trainedSchema, givenSchema])).min(1),
  guidance: z.array(guidanceSchema).min(1),
  /** Concepts of the embedded world by name, or one's own; all of the world's by default. */
  concepts: z.union([z.literal("all"), z.array(z.union([z.string(), ownConceptSchema])).min(1)]).default("all"),
  /** Names of prompts, or how many of each list, evenly spread; all 31 by default. */
  prompts: z.union([z.literal("all"), whole, z.array(z.string()).min(1)]).default("all"),
  /** Pictures a prompt: seeds from `seed` on. */
  pictures: whole.max(10_000).default(8),
  seed: z
    .number()
    .int()
    .nonnegative()
    .max(2 ** 52)
    .default(0),
  steps: whole.max(1000).default(50),
  sampler: z.enum(samplerNames).default("ddim"),
  /** The token of the subject in prompts. */
  token: z.string().regex(/^\S+$/).default("sks"),
  /** CLIP-T is measured against the prompt with the class alone, or with the token as well. */
  text: z.enum(["class", "token"]).default("class"),
  /** How pictures are prepared for the encoders. */
  protocol: z.enum(protocols).default("dreambooth"),
  /** Folders of a CLIP and a ViT; the embedded ones by default. */
  encoders: z.strictObject({ clip: z.string(), dino: z.string() }).optional(),
});

export type Experiment = z.output<typeof experimentSchema>;
export type ExperimentFile = z.input<typeof experimentSchema>;
export type Personalisation = Experiment["personalisation"][number];

/** One guidance method with one value for each setting it takes notice of. */
export interface Arm {
  readonly guidance: (typeof guidanceNames)[number];
  readonly scale?: number;
  readonly omega?: number;
  readonly agScale?: number;
}

/** @throws TillerError if the file cannot be read, UsageError naming the first wrong setting. */
export async function readExperiment(file: string): Promise<Experiment> {
  return parseExperiment(await readJson(file, jsonObject), file);
}

/** @throws UsageError naming the first wrong setting. */
export function parseExperiment(value: unknown, where = "the experiment"): Experiment {
  const parsed = experimentSchema.safeParse(value);
  if (!parsed.success) throw new UsageError(`${where}: ${wrongSetting(parsed.error)}`);
  const experiment = parsed.data;
  const names =
    experiment.concepts === "all" ? [] : experiment.concepts.map((c) => (typeof c === "string" ? c : c.name));
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new UsageError(`${where}: concepts: ${twice} is there twice`);
  const plus = experiment.guidance.find(
    ({ method, scale }) => method.endsWith("++") && scale?.some((lambda) => lambda < 0 || lambda > 1),
  );
  if (plus) throw new UsageError(`${where}: guidance: the scale of ${plus.method} is lambda, 0 to 1`);
  const sag = experiment.guidance.find(({ method }) => method.startsWith("sag"));
  for (const one of experiment.personalisation) {
    if (sag && "recipe" in one && !recipes[one.recipe].learned) {
      throw new UsageError(
        `${where}: guidance: ${sag.method} needs a learned token, which ${one.recipe} does not make; leave it out`,
      );
    }
  }
  return experiment;
}

/** Every combination that makes a difference, once and in the order of the file. */
export function armsOf({ guidance }: Pick<Experiment, "guidance">): Arm[] {
  const arms = guidance.flatMap(({ method, scale, omega, agScale }) => {
    const telling = settingsOf(method);
    const values = (name: "scale" | "omega" | "agScale", given: readonly number[] | undefined, usual: number) =>
      telling.includes(name) ? (given ?? [usual]).map((value) => ({ [name]: value })) : [{}];
    return values("scale", scale, defaultScale(method)).flatMap((s) =>
      values("agScale", agScale, 2).flatMap((a) =>
        values("omega", omega, 0.6).map((w): Arm => ({ guidance: method, ...s, ...a, ...w })),
      ),
    );
  });
  return [...new Map(arms.map((arm) => [JSON.stringify(arm), arm])).values()];
}

/** What an arm is called: `pg 0.6`; the scales too if the experiment varies them. */
export function armName(arm: Arm, arms: readonly Arm[]): string {
  const same = arms.filter(({ guidance }) => guidance === arm.guidance);
  const varies = (name: "scale" | "agScale") => new Set(same.map((other) => other[name])).size > 1;
  return [
    arm.guidance,
    ...(arm.omega === undefined ? [] : [String(arm.omega)]),
    ...(varies("scale") ? [`s=${arm.scale}`] : []),
    ...(varies("agScale") ? [`ag=${arm.agScale}`] : []),
  ].join(" ");
}

/** What a way of fine-tuning is called: the recipe, and what the experiment varies; of given adapters, their files. */
export function personalisationName(one: Personalisation, all: readonly Personalisation[]): string {
  if ("adapters" in one) {
    const given = all.filter((other) => "adapters" in other);
    const short = (files: readonly string[]) => files.map((file) => basename(file)).join(" + ");
    const alone = given.filter((other) => short(other.adapters) === short(one.adapters)).length === 1;
    return alone ? short(one.adapters) : one.adapters.join(" + ");
  }
  const trained = all.filter((other) => "recipe" in other);
  const varied = (Object.keys(one) as (keyof typeof one)[]).filter(
    (key) => key !== "recipe" && new Set(trained.map((other) => JSON.stringify(other[key]))).size > 1,
  );
  return [one.recipe, ...varied.map((key) => `${key} ${one[key]}`)].join(", ");
}
