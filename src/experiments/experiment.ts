/** An experiment: what is personalised, how it is guided, on which concepts and prompts. One small JSON file. */
import { basename } from "node:path";
import { z } from "zod";
import { jsonObject, readJson } from "../bytes/json-file.ts";
import { TillerError } from "../errors/index.ts";
import { embeddedModel } from "../families/embedded.ts";
import {
  doubtOf,
  type GivenSettings,
  type GuidanceName,
  guidanceNames,
  methodOf,
  namingSettings,
  type SettingName,
  type SettingValues,
  settingNames,
  settingsOf,
  toldOf,
  unmetEvaluations,
} from "../guidance/index.ts";
import { evaluationProtocols } from "../metrics/encoders.ts";
import {
  pictureRequestSchema,
  type SamplerName,
  samplerNames,
  settingFields,
  type UsualSettings,
} from "../recipe/request.ts";
import { type TrainingMethodName, trainingMethodNames, trainingMethods } from "../training/methods/index.ts";
import { wrongSetting } from "../wrong-setting.ts";

const whole = z.number().int().positive();

/** Training settings that an experiment may vary; the others are the method's. */
const trainedFields = {
  steps: whole.optional(),
  rank: whole.optional(),
  learningRate: z.number().positive().optional(),
  batch: whole.optional(),
  prior: z.boolean().optional(),
  priorCount: whole.optional(),
  seed: z.number().int().nonnegative().optional(),
};
const trainingMethod = z.enum(trainingMethodNames as [TrainingMethodName, ...TrainingMethodName[]]);

/** Files may call the method `recipe`, as they did at first; results on disk do, so it is called that from here on. */
const trainedSchemas = [
  z
    .strictObject({ method: trainingMethod, ...trainedFields })
    .transform(({ method, ...settings }) => ({ recipe: method, ...settings })),
  z.strictObject({ recipe: trainingMethod, ...trainedFields }),
] as const;

/** Adapters that exist already, for a concept of one's own. */
const givenSchema = z.strictObject({ adapters: z.array(z.string()).min(1) });

type ValueFields = {
  [N in SettingName]: z.ZodOptional<z.ZodType<SettingValues[N][], SettingValues[N] | readonly SettingValues[N][]>>;
};

/** One value or several of each setting. */
const valueFields = Object.fromEntries(
  settingNames.map((name) => {
    const one = settingFields[name].unwrap();
    return [name, z.union([one.transform((value) => [value]), z.array(one).min(1)]).optional()];
  }),
) as unknown as ValueFields;

const guidanceSchema = z.strictObject({ method: z.enum(guidanceNames), ...valueFields });

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
  /** What it is called: of letters, digits, dots, dashes and underscores. */
  name: z.string().regex(/^\w[\w.-]*$/, "must be made of letters, digits, dots, dashes and underscores"),
  /** A folder, a single file, a hub id, or `dinghy`. */
  model: z.string().default(embeddedModel),
  /** Ways of fine-tuning, each with its settings; or adapters that exist already. */
  personalisation: z.array(z.union([...trainedSchemas, givenSchema])).min(1),
  /** Guidance methods, each with one value or several of each of its settings. */
  guidance: z.array(guidanceSchema).min(1),
  /** Rows by their names, the first of each pair compared with the second: `["pg 0.6", "cfg+ag"]`. */
  compare: z.array(z.tuple([z.string(), z.string()])).optional(),
  /** Concepts of the embedded world by name, or one's own; all of the world's by default. */
  concepts: z.union([z.literal("all"), z.array(z.union([z.string(), ownConceptSchema])).min(1)]).default("all"),
  /** Names of prompts, or how many of each list, evenly spread; all 31 by default. */
  prompts: z.union([z.literal("all"), whole, z.array(z.string()).min(1)]).default("all"),
  /** Pictures a prompt: seeds from `seed` on. */
  pictures: whole.max(10_000).default(8),
  /** The first seed; 0 by default. */
  seed: z
    .number()
    .int()
    .nonnegative()
    .max(2 ** 52)
    .default(0),
  /** Sampler steps of a picture; the model's when absent, as are the sampler, scales and omegas. */
  steps: whole.max(1000).optional(),
  /** One of the samplers; the model's when absent. */
  sampler: z.enum(samplerNames).optional(),
  /** What goes before prompts, of models whose text encoder is a language model: "" for nothing; the model's own when absent. */
  instruction: pictureRequestSchema.shape.instruction,
  /** The token of the subject in prompts. */
  token: z.string().regex(/^\S+$/).default("sks"),
  /** CLIP-T is measured against the prompt with the class alone, or with the token as well. */
  text: z.enum(["class", "token"]).default("class"),
  /** How pictures are prepared for the encoders. */
  protocol: z.enum(evaluationProtocols).default("dreambooth"),
  /** Folders of a CLIP and a ViT; the embedded ones by default. */
  encoders: z.strictObject({ clip: z.string(), dino: z.string() }).optional(),
});

/** An experiment as its file has it: defaults may be left out. */
export interface ExperimentFile extends z.input<typeof experimentSchema> {}
/** An experiment that was read. What depends on the model may still be open. */
export interface GivenExperiment extends z.output<typeof experimentSchema> {}
/** An experiment with all that its pictures are drawn with. */
export interface Experiment extends GivenExperiment {
  /** Sampler steps of a picture. */
  readonly steps: number;
  /** One of the samplers. */
  readonly sampler: SamplerName;
}
export type Personalisation = Experiment["personalisation"][number];

/** One guidance method with one value for each setting it has, but for those that came later and have their default. */
export interface Arm extends GivenSettings {
  /** The method. */
  readonly guidance: GuidanceName;
}

/** @throws TillerError if the file cannot be read, or naming the first wrong setting. */
export async function readExperiment(file: string): Promise<GivenExperiment> {
  return parseExperiment(await readJson(file, jsonObject), file);
}

/** @throws TillerError naming the first wrong setting. */
export function parseExperiment(value: unknown, where = "the experiment"): GivenExperiment {
  const parsed = experimentSchema.safeParse(value);
  if (!parsed.success)
    throw new TillerError("experiment-invalid", `${where}: ${wrongSetting(parsed.error)}.`, { paths: [where] });
  const experiment = parsed.data;
  const names =
    experiment.concepts === "all" ? [] : experiment.concepts.map((c) => (typeof c === "string" ? c : c.name));
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined)
    throw new TillerError("experiment-invalid", `${where}: concepts: ${twice} is listed twice.`, { paths: [where] });
  for (const [i, { method, ...given }] of experiment.guidance.entries()) {
    for (const setting of settingsOf(method)) {
      const doubt = given[setting.name]?.map((value) => doubtOf(setting, value)).find((found) => found !== undefined);
      if (doubt !== undefined)
        throw new TillerError("experiment-invalid", `${where}: guidance.${i}.${setting.name}: ${doubt}.`, {
          paths: [where],
        });
    }
    const { needs } = methodOf(method);
    for (const one of experiment.personalisation) {
      if (needs.includes("learned token") && "recipe" in one && !trainingMethods[one.recipe].learned) {
        throw new TillerError(
          "experiment-invalid",
          `${where}: guidance: ${method} needs a learned token, which ${one.recipe} does not make; leave it out.`,
          { paths: [where] },
        );
      }
    }
  }
  refuseImpossible(experiment, where);
  return experiment;
}

/** What an experiment leaves open, as its model has it. */
export type OpenSettings = Pick<UsualSettings, "sampler" | "steps" | "scale"> & {
  /** For each way of fine-tuning: where these differ, omega cannot be left out. */
  readonly omegas: readonly number[];
};

/** Whether nothing is left to the model. */
export const isWhole = (given: GivenExperiment): given is Experiment =>
  given.steps !== undefined &&
  given.sampler !== undefined &&
  given.guidance.every((one) => openSettings(one).length === 0);

/**
 * The experiment with what its model has where the file leaves something open.
 *
 * @throws TillerError if omega is left open and the ways of fine-tuning have different ones, if a method needs another
 *   sampler, or if rows are to be compared that there are not.
 */
export function completedExperiment(given: GivenExperiment, usual: OpenSettings): Experiment {
  const omegas = [...new Set(usual.omegas)];
  const own: Partial<Record<SettingName, number>> = { scale: usual.scale, omega: omegas[0]! };
  const guidance = given.guidance.map((one, i) => {
    const open = openSettings(one).map(({ name }) => name);
    if (open.includes("omega") && omegas.length > 1) {
      throw new TillerError(
        "experiment-invalid",
        `the experiment ${given.name}: guidance.${i}: name omega, for the ways of fine-tuning have different ones: ${omegas.join(", ")}.`,
      );
    }
    return { ...one, ...Object.fromEntries(open.map((name) => [name, [own[name]]])) };
  });
  const experiment = {
    ...given,
    guidance,
    steps: given.steps ?? usual.steps,
    sampler: given.sampler ?? usual.sampler,
  };
  refuseImpossible(experiment, `the experiment ${given.name}`);
  return experiment;
}

/** What settings that are known already make impossible. */
function refuseImpossible({ guidance, sampler, compare = [] }: GivenExperiment, where: string): void {
  const undrawable = guidance.find(({ method }) => methodOf(method).needs.includes("ddim"));
  if (undrawable && sampler !== undefined && sampler !== "ddim") {
    throw new TillerError(
      "experiment-invalid",
      `${where}: guidance: ${undrawable.method} needs the sampler ddim, not ${sampler}.`,
      { paths: [where] },
    );
  }
  const asked = guidance.flatMap(({ method, ...given }) =>
    Object.entries(given).flatMap(([name, values]) =>
      (values ?? []).map((value): Arm => ({ guidance: method, [name]: value })),
    ),
  );
  for (const { guidance: method, ...settings } of [...asked, ...armsOf({ guidance })]) {
    const unmet = unmetEvaluations(method, settings);
    if (unmet) {
      const message = `${where}: guidance: ${unmet.name} ${unmet.why}.`;
      throw new TillerError("experiment-invalid", message, { paths: [where] });
    }
  }
  if (guidance.some((one) => openSettings(one).length > 0)) return;
  const rows = armsOf({ guidance }).map((arm, _, arms) => armName(arm, arms));
  const none = compare.flat().find((name) => !rows.includes(name));
  if (none === undefined) return;
  throw new TillerError(
    "experiment-invalid",
    `${where}: compare: there is no row ${none}; there are ${rows.join(", ")}.`,
    { paths: [where] },
  );
}

/** What one of the methods leaves to the model. */
const openSettings = ({ method, ...values }: GivenExperiment["guidance"][number]) =>
  settingsOf(method).filter(({ name, ofModel }) => ofModel && values[name] === undefined);

/** Every combination that makes a difference, once and in the order of the file. */
export function armsOf({ guidance }: Pick<Experiment, "guidance">): Arm[] {
  const arms = guidance.flatMap(({ method, ...given }) => {
    let combined: GivenSettings[] = [{}];
    for (const { name } of settingsOf(method)) {
      const values = given[name] ?? [undefined];
      combined = combined.flatMap((before) => values.map((value) => ({ ...before, [name]: value })));
    }
    return combined.map((settings): Arm => ({ guidance: method, ...toldOf(method, settings) }));
  });
  return [...new Map(arms.map((arm) => [JSON.stringify(arm), arm])).values()];
}

/** What an arm is called: `pg 0.6`; the other settings too if the experiment varies or changes them. */
export function armName(arm: Arm, arms: readonly Arm[]): string {
  const same = arms.filter(({ guidance }) => guidance === arm.guidance);
  const varies = (name: SettingName) => new Set(same.map((other) => other[name])).size > 1;
  const settings = namingSettings(arm.guidance, arm, varies).map(({ setting, value }) =>
    setting.told === "in names" || setting.kind === "choice" ? String(value) : `${setting.short}=${value}`,
  );
  return [arm.guidance, ...settings].join(" ");
}

/** What a way of fine-tuning is called: the method, and what the experiment varies; of given adapters, their files. */
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
