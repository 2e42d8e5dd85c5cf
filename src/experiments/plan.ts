/** The units of an experiment: an adapter for each concept and fine-tuning method, and the pictures made with each. */
import { join, resolve } from "node:path";
import { type EncoderName, encodersOf } from "../metrics/fidelity.ts";
import { parseAdapter } from "../pipelines/adapter-spec.ts";
import { picturesIdentity } from "../training/data/pictures-identity.ts";
import type { TrainingMethodName } from "../training/methods/index.ts";
import { fillSettings, type TrainingRequest } from "../training/run/options.ts";
import type { BenchConcept, Prompt } from "./concepts.ts";
import { type Arm, armsOf, computedInKeys, type Experiment, type Personalisation, trainedIn } from "./experiment.ts";
import { modelIdentity } from "./identity.ts";
import { keyOf } from "./store.ts";

/** Part of every key: raised when a change would alter the results of existing units. */
const form = 1;

/** A concept learned by one fine-tuning method, and all pictures drawn with it. */
export interface Cell {
  readonly concept: BenchConcept;
  readonly personalisation: Personalisation;
  /** The unit that trains its adapters; undefined if they are given. */
  readonly adapter: AdapterUnit | undefined;
  readonly units: readonly PictureUnit[];
}

export interface AdapterUnit {
  readonly recipe: TrainingMethodName;
  readonly request: TrainingRequest;
  readonly key: string;
  /** Holds the adapter and its run. */
  readonly folder: string;
  /** The class images, shared by the adapters of a class, and their number. */
  readonly classFolder: string;
  readonly classPictures: number;
  /** What they show, and their side; the model's if undefined. */
  readonly classPrompt: string;
  readonly resolution: number | undefined;
  /** Training steps, and rows evaluated per step. */
  readonly steps: number;
  readonly rows: number;
}

/** An experiment's pictures of one prompt by one method. */
export interface PictureUnit {
  /** Holds `<seed>.png`. */
  readonly folder: string;
  /** The files of their features, by encoder. */
  readonly features: Readonly<Partial<Record<EncoderName, string>>>;
  readonly arm: Arm;
  readonly prompt: Prompt;
}

/** Hashes of an experiment's networks. */
export interface Identities {
  /** The model's. */
  readonly model: string;
  /** The base's, if there is one. */
  readonly base?: string | undefined;
  /** The encoders', in the order of their names, and how pictures are prepared for them. */
  readonly encoders: readonly string[];
}

export async function planOf(
  experiment: Experiment,
  concepts: readonly BenchConcept[],
  { model, base, encoders }: Identities,
  folder: string,
): Promise<Cell[]> {
  const { pictures, seed, steps, sampler, instruction, negative } = experiment;
  const computed = computedInKeys(experiment.computed);
  const cells: Cell[] = [];
  const kinds = encodersOf(experiment.metrics);
  const files = kinds.map(({ name }, i) => [name, `${name}-${keyOf([encoders[i], encoders.at(-1)])}.json`] as const);
  const featureFiles = (own: string): PictureUnit["features"] =>
    Object.fromEntries(files.map(([name, file]) => [name, join(own, file)]));
  for (const personalisation of experiment.personalisation) {
    for (const concept of concepts) {
      const given = await Promise.all(
        adaptersOf(personalisation, concept).map(async (spec) => {
          const { file, strength = 1 } = parseAdapter(spec);
          return [await modelIdentity(file), strength];
        }),
      );
      const adapter =
        "recipe" in personalisation
          ? adapterUnit(folder, experiment, model, personalisation, await withReferences(concept))
          : undefined;
      const own = given.length > 0 ? given : undefined;
      const trained = adapter ? adapter.key : { form, model, adapters: given };
      const sources = new Map<string, string>();
      for (const { image } of concept.prompts) if (image !== undefined) sources.set(image, await modelIdentity(image));
      const units = armsOf(experiment).flatMap((arm) =>
        concept.prompts.map((prompt): PictureUnit => {
          const text = prompt.about(subjectOf(experiment, concept));
          const { style } = prompt;
          const image = prompt.image && sources.get(prompt.image);
          // What is undefined does not enter the key: units of older experiments keep theirs.
          const also = { base, style, image, adapters: adapter && own, negative };
          const contents = { form, trained, arm, text, pictures, seed, steps, sampler, instruction, computed, ...also };
          const place = join(folder, "pictures", keyOf(contents));
          return { folder: place, features: featureFiles(place), arm, prompt };
        }),
      );
      cells.push({ concept, personalisation, adapter, units });
    }
  }
  return cells;
}

/** Existing adapters of a cell, besides the one it trains. */
export const adaptersOf = (personalisation: Personalisation, { adapters }: BenchConcept): readonly string[] => [
  ...("adapters" in personalisation ? personalisation.adapters : []),
  ...adapters,
];

interface Subject extends BenchConcept {
  readonly images: string;
  readonly references: string;
}

/** A concept that is trained on, with the hash of its pictures. */
async function withReferences(concept: BenchConcept): Promise<Subject> {
  const images = concept.images!;
  return { ...concept, images, references: await picturesIdentity(resolve(images)) };
}

function adapterUnit(
  folder: string,
  { token, model: name, computed: drawnIn }: Experiment,
  model: string,
  { recipe, ...settings }: Extract<Personalisation, { recipe: TrainingMethodName }>,
  { images, references, class: noun }: Subject,
): AdapterUnit {
  // The key includes the method's defaults but no paths.
  const asked = { ...settings, token, class: noun };
  const contents = fillSettings(recipe, { ...asked, model: "", images: "", out: "adapter.safetensors" });
  const computed = computedInKeys(trainedIn(drawnIn));
  const key = keyOf({ form, model, references, contents, computed });
  const own = join(folder, "adapters", key);
  const request = { ...asked, model: name, images, out: join(own, "adapter.safetensors"), resume: true };
  const { prior, priorCount, steps, batch, accumulate, classPrompt } = contents;
  // A short run may use fewer class images than asked for.
  const classPictures = prior ? Math.min(priorCount, steps * batch * accumulate) : 0;
  // Class images in the usual words and size keep the key that they had before these could be set.
  const { resolution } = settings;
  const unusual = { resolution, classPrompt: classPrompt === `a ${noun}` ? undefined : classPrompt };
  const classFolder = join(folder, "class", keyOf({ form, model, class: noun, classPictures, computed, ...unusual }));
  return {
    recipe,
    request: { ...request, classImages: classFolder },
    key,
    folder: own,
    classFolder,
    classPictures,
    classPrompt,
    resolution,
    steps,
    rows: batch * accumulate * (prior ? 2 : 1),
  };
}

/** The subject in prompts: "sks cat". */
export const subjectOf = ({ token }: Pick<Experiment, "token">, concept: BenchConcept): string =>
  `${token} ${concept.class}`;
