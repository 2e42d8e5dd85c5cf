/** The units of an experiment: an adapter for each concept and way of fine-tuning, and the pictures made with each. */
import { join, resolve } from "node:path";
import { parseAdapter } from "../pipelines/adapter-spec.ts";
import { picturesIdentity } from "../training/data/pictures-identity.ts";
import type { TrainingMethodName } from "../training/methods/index.ts";
import { fillSettings, type TrainingRequest } from "../training/run/options.ts";
import type { BenchConcept, Prompt } from "./concepts.ts";
import { type Arm, armsOf, type Experiment, type Personalisation } from "./experiment.ts";
import { modelIdentity } from "./identity.ts";
import { keyOf } from "./store.ts";

/** Part of every key: raised when units of before would come out otherwise. */
const form = 1;

/** A concept learned in one way, and all that is drawn with it. */
export interface Cell {
  readonly concept: BenchConcept;
  readonly personalisation: Personalisation;
  /** What trains its adapters; undefined if they are given. */
  readonly adapter: AdapterUnit | undefined;
  readonly units: readonly PictureUnit[];
}

export interface AdapterUnit {
  readonly recipe: TrainingMethodName;
  readonly request: TrainingRequest;
  readonly key: string;
  /** Holds the adapter and its run. */
  readonly folder: string;
  /** The class's pictures, shared by the adapters of a class, and how many they are. */
  readonly classFolder: string;
  readonly classPictures: number;
  /** Steps of the run, and rows that one of them evaluates. */
  readonly steps: number;
  readonly rows: number;
}

/** An experiment's pictures of one prompt by one method. */
export interface PictureUnit {
  /** Holds `<seed>.png`. */
  readonly folder: string;
  /** The file of what the experiment's encoders make of them. */
  readonly features: string;
  readonly arm: Arm;
  readonly prompt: Prompt;
}

/** Contents of the networks of an experiment, as hashes. */
export interface Identities {
  /** The model's. */
  readonly model: string;
  /** The CLIP's and the ViT's, and how pictures are prepared for them. */
  readonly encoders: readonly string[];
}

export async function planOf(
  experiment: Experiment,
  concepts: readonly BenchConcept[],
  { model, encoders }: Identities,
  folder: string,
): Promise<Cell[]> {
  const { pictures, seed, steps, sampler, instruction } = experiment;
  const cells: Cell[] = [];
  for (const personalisation of experiment.personalisation) {
    for (const concept of concepts) {
      const references = await picturesIdentity(resolve(concept.images));
      const given =
        "adapters" in personalisation &&
        (await Promise.all(
          personalisation.adapters.map(async (spec) => {
            const { file, strength = 1 } = parseAdapter(spec);
            return [await modelIdentity(file), strength];
          }),
        ));
      const adapter =
        "recipe" in personalisation
          ? adapterUnit(folder, experiment, model, personalisation, { ...concept, references })
          : undefined;
      const trained = given ? { form, model, adapters: given } : adapter!.key;
      const units = armsOf(experiment).flatMap((arm) =>
        concept.prompts.map((prompt): PictureUnit => {
          const text = prompt.about(subjectOf(experiment, concept));
          const contents = { form, trained, arm, text, pictures, seed, steps, sampler, instruction };
          const own = join(folder, "pictures", keyOf(contents));
          return { folder: own, features: join(own, `features-${keyOf(encoders)}.json`), arm, prompt };
        }),
      );
      cells.push({ concept, personalisation, adapter, units });
    }
  }
  return cells;
}

function adapterUnit(
  folder: string,
  { token, model: name }: Experiment,
  model: string,
  { recipe, ...settings }: Extract<Personalisation, { recipe: TrainingMethodName }>,
  { images, references, class: noun }: BenchConcept & { readonly references: string },
): AdapterUnit {
  // What the method fills in counts too; where things are does not.
  const asked = { ...settings, token, class: noun };
  const contents = fillSettings(recipe, { ...asked, model: "", images: "", out: "adapter.safetensors" });
  const key = keyOf({ form, model, references, contents });
  const own = join(folder, "adapters", key);
  const request = { ...asked, model: name, images, out: join(own, "adapter.safetensors"), resume: true };
  const { prior, priorCount, steps, batch } = contents;
  // A run that draws fewer class pictures than asked for needs no more.
  const classPictures = prior ? Math.min(priorCount, steps * batch) : 0;
  const classFolder = join(folder, "class", keyOf({ form, model, class: noun, classPictures }));
  return {
    recipe,
    request: { ...request, classImages: classFolder },
    key,
    folder: own,
    classFolder,
    classPictures,
    steps,
    rows: batch * (prior ? 2 : 1),
  };
}

/** What the subject is called in prompts: "sks cat". */
export const subjectOf = ({ token }: Pick<Experiment, "token">, concept: BenchConcept): string =>
  `${token} ${concept.class}`;
