/** An experiment file (JSON): fine-tuning methods, guidance methods, concepts and prompts. */
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
  unmetSetting,
} from "../guidance/index.ts";
import {
  type ChosenEncoderName,
  chosenEncoders,
  encodersOf,
  type MetricName,
  metricNames,
  usualMetrics,
} from "../metrics/fidelity.ts";
import { evaluationProtocols } from "../metrics/protocol.ts";
import {
  pictureRequestSchema,
  type SamplerName,
  samplerNames,
  settingFields,
  type UsualSettings,
} from "../recipe/request.ts";
import { precisionNames } from "../runtime/index.ts";
import { adapterMethodNames, type TrainingMethodName, trainingMethods } from "../training/methods/index.ts";
import { wrongSetting } from "../wrong-setting.ts";
import { conceptsSchema, editsSchema, promptsSchema } from "./concept-schema.ts";
import { refuseSubjects } from "./subjects.ts";
import { trainingFields } from "./training-fields.ts";

const whole = z.number().int().positive();

/** A seed from which others are counted; 0 by default. */
export const seedSchema = z
  .number()
  .int()
  .nonnegative()
  .max(2 ** 52)
  .default(0);

/** A network trained whole is no adapter: it is the experiment's `model`. */
const trainingMethod = z.enum(adapterMethodNames as [TrainingMethodName, ...TrainingMethodName[]]);

/** Files may call the method `recipe`, its old name; results on disk do, so the parsed experiment does too. */
const trainedSchemas = [
  z
    .strictObject({ method: trainingMethod, ...trainingFields })
    .transform(({ method, ...settings }) => ({ recipe: method, ...settings })),
  z.strictObject({ recipe: trainingMethod, ...trainingFields }),
] as const;

/** Existing adapters, for the user's own concept; none for the model itself. */
const givenSchema = z.strictObject({ adapters: z.array(z.string()) });

type ValueFields = {
  [N in SettingName]: z.ZodOptional<z.ZodType<SettingValues[N][], SettingValues[N] | readonly SettingValues[N][]>>;
};

/** One or several values for each setting. */
const valueFields = Object.fromEntries(
  settingNames.map((name) => {
    const one = settingFields[name].unwrap();
    return [name, z.union([one.transform((value) => [value]), z.array(one).min(1)]).optional()];
  }),
) as unknown as ValueFields;

const guidanceSchema = z.strictObject({ method: z.enum(guidanceNames), ...valueFields });

const computedSchema = z.strictObject({
  /** The library that computed. */
  engine: z.enum(["onnxruntime", "openvino"]),
  /** The number type of matrix products. */
  precision: z.enum(["float32", "bfloat16", "float16", "int8"]),
});

/** The engine and the number type of an experiment's pictures. */
export type Computed = z.output<typeof computedSchema>;

/** The default, and what older experiments used. */
const usually: Computed = { engine: "onnxruntime", precision: "float32" };

/** The engine for a number type; `auto` is resolved by the machine that runs the experiment. */
function computedIn(precision: GivenExperiment["precision"]): Computed {
  if (precision === undefined || precision === "auto") return usually;
  return { engine: precision === "bfloat16" ? "openvino" : "onnxruntime", precision };
}

/** The part that enters the keys of units: none for the default, so that older units keep their keys. */
export const computedInKeys = ({ engine, precision }: Computed): Computed | undefined =>
  engine === usually.engine && precision === usually.precision ? undefined : { engine, precision };

/** How adapters are trained: int8 is only for drawing. */
export const trainedIn = (computed: Computed): Computed => (computed.precision === "int8" ? usually : computed);

const encoderFields = Object.fromEntries(chosenEncoders.map(({ name }) => [name, z.string().optional()])) as Record<
  ChosenEncoderName,
  z.ZodOptional<z.ZodString>
>;

export const experimentSchema = z.strictObject({
  /** Its name: letters, digits, dots, dashes and underscores. */
  name: z.string().regex(/^\w[\w.-]*$/, "must be made of letters, digits, dots, dashes and underscores"),
  /** A folder, a single file, a hub id, or `dinghy`. */
  model: z.string().default(embeddedModel),
  /** The pre-trained model, when the model itself is a full fine-tune of it. */
  base: z.string().optional(),
  /** Fine-tuning methods, each with its settings; or existing adapters; the model itself by default. */
  personalisation: z
    .array(z.union([...trainedSchemas, givenSchema]))
    .min(1)
    .default([{ adapters: [] }]),
  /** Guidance methods, each with one or several values for each of its settings. */
  guidance: z.array(guidanceSchema).min(1),
  /** Pairs of rows by name, the first compared with the second: `["pg 0.6", "cfg+ag"]`. */
  compare: z.array(z.tuple([z.string(), z.string()])).optional(),
  /**
   * Concepts of the embedded world by name, your own, or styles; all of the world's by default. `none`: prompts alone, without a
   * subject.
   */
  concepts: conceptsSchema,
  /** Pictures to be edited by instructions, in place of concepts and prompts. */
  edits: editsSchema.optional(),
  /** Names of prompts, or how many from each list, evenly spaced; or a file of prompts without a subject. All 31 by default. */
  prompts: promptsSchema,
  /** Pictures per prompt, with seeds from `seed` upwards. */
  pictures: whole.max(10_000).default(8),
  /** The first seed; 0 by default. */
  seed: seedSchema,
  /** Sampler steps; the model's by default, like the sampler, scales and omegas. */
  steps: whole.max(1000).optional(),
  /** One of the samplers; the model's by default. */
  sampler: z.enum(samplerNames).optional(),
  /** Number type of matrix products: float32 by default. Encoders always use float32; so does training if this is int8. */
  precision: z.enum(precisionNames).optional(),
  /** Engine and number type that drew the pictures: a run writes them into its folder's `experiment.json`. */
  computed: computedSchema.optional(),
  /** Instruction before every prompt, for models with a language model as text encoder: "" for none; the model's by default. */
  instruction: pictureRequestSchema.shape.instruction,
  /** Negative prompt of every picture. Without one, models differ: SDXL's null row is zeros, and with "" an encoding. */
  negative: pictureRequestSchema.shape.negative,
  /** The subject's token in prompts. */
  token: z.string().regex(/^\S+$/).default("sks"),
  /** Whether CLIP-T uses the prompt with the class only, or with the token as well. */
  text: z.enum(["class", "token"]).default("class"),
  /** How pictures are prepared for the encoders. */
  protocol: z.enum(evaluationProtocols).default("dreambooth"),
  /** What to measure; DINO, CLIP-I and CLIP-T by default. */
  metrics: z
    .array(z.enum(metricNames as [MetricName, ...MetricName[]]))
    .min(1)
    .default([...usualMetrics]),
  /** A model for each of the metrics' encoders, such as a CLIP and a ViT; the embedded ones by default. */
  encoders: z.strictObject(encoderFields).optional(),
});

/** An experiment file: settings with defaults may be left out. */
export interface ExperimentFile extends z.input<typeof experimentSchema> {}
/** A parsed experiment. Settings that default to the model's may be undefined. */
export interface GivenExperiment extends z.output<typeof experimentSchema> {}
/** An experiment with all settings filled in. */
export interface Experiment extends GivenExperiment {
  /** Sampler steps. */
  readonly steps: number;
  /** One of the samplers. */
  readonly sampler: SamplerName;
  /** Engine and number type that draw the pictures. */
  readonly computed: Computed;
}
export type Personalisation = Experiment["personalisation"][number];

/** A guidance method with one value for each setting, except settings added later that have their default. */
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
    typeof experiment.concepts === "string" ? [] : experiment.concepts.map((c) => (typeof c === "string" ? c : c.name));
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
  refuseEncoders(experiment, where);
  refuseSubjects(experiment, where);
  refuseImpossible(experiment, where);
  return experiment;
}

/** Refuses metrics without a model, and models that are named for some metrics while others would be measured by dinghy's. */
function refuseEncoders({ metrics, encoders }: GivenExperiment, where: string): void {
  for (const { name, chosen, usual, help } of encodersOf(metrics)) {
    if (!chosen || (encoders === undefined ? usual !== undefined : encoders[name as ChosenEncoderName] !== undefined))
      continue;
    throw new TillerError("experiment-invalid", `${where}: encoders: name ${name} too, ${help}.`, { paths: [where] });
  }
}

/** The model's defaults for settings that an experiment leaves out. */
export type OpenSettings = Pick<UsualSettings, "sampler" | "steps" | "scale"> & {
  /** For each fine-tuning method; if they differ, omega cannot be left out. */
  readonly omegas: readonly number[];
};

/** Whether no setting is left to the model. */
export const isWhole = (given: GivenExperiment): boolean =>
  given.steps !== undefined &&
  given.sampler !== undefined &&
  given.guidance.every((one) => openSettings(one).length === 0);

/**
 * Fills in the model's defaults for settings that the file leaves out.
 *
 * @throws TillerError if omega is left out and the fine-tuning methods have different defaults, if a method needs another
 * sampler, or if a row to compare does not exist.
 */
export function completedExperiment(given: GivenExperiment, usual: OpenSettings): Experiment {
  const omegas = [...new Set(usual.omegas)];
  const own: Partial<Record<SettingName, number>> = { scale: usual.scale, omega: omegas[0]! };
  const guidance = given.guidance.map((one, i) => {
    const open = openSettings(one).map(({ name }) => name);
    if (open.includes("omega") && omegas.length > 1) {
      throw new TillerError(
        "experiment-invalid",
        `the experiment ${given.name}: guidance.${i}: set omega, because the fine-tuning methods have different defaults: ${omegas.join(", ")}.`,
      );
    }
    return { ...one, ...Object.fromEntries(open.map((name) => [name, [own[name]]])) };
  });
  const experiment = {
    ...given,
    guidance,
    steps: given.steps ?? usual.steps,
    sampler: given.sampler ?? usual.sampler,
    computed: given.computed ?? computedIn(given.precision),
  };
  refuseImpossible(experiment, `the experiment ${given.name}`);
  return experiment;
}

/** Refuses combinations that cannot work, as far as settings are known. */
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
    const unmet = unmetSetting(method, settings);
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
    `${where}: compare: there is no row ${none}: choose from ${rows.join(", ")}.`,
    { paths: [where] },
  );
}

/** The settings of a method that are left to the model. */
const openSettings = ({ method, ...values }: GivenExperiment["guidance"][number]) =>
  settingsOf(method).filter(({ name, ofModel }) => ofModel && values[name] === undefined);

/** Every distinct combination, in the order of the file. */
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

/** The name of an arm: `pg 0.6`, with the other settings if the experiment varies or changes them. */
export function armName(arm: Arm, arms: readonly Arm[]): string {
  const same = arms.filter(({ guidance }) => guidance === arm.guidance);
  const varies = (name: SettingName) => new Set(same.map((other) => other[name])).size > 1;
  const settings = namingSettings(arm.guidance, arm, varies).map(({ setting, value }) =>
    setting.told === "in names" || setting.kind === "choice" ? String(value) : `${setting.short}=${value}`,
  );
  return [arm.guidance, ...settings].join(" ");
}

/** The name of a fine-tuning method with the settings that the experiment varies; for given adapters, their files. */
export function personalisationName(one: Personalisation, all: readonly Personalisation[]): string {
  if ("adapters" in one) {
    if (one.adapters.length === 0) return "none";
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
