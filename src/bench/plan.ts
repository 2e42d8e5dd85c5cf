/** The units of an experiment: an adapter for each concept and way of fine-tuning, and the pictures made with each. */
import { join, resolve } from "node:path";
import { fillSettings, type TrainingRequest } from "../training/options.ts";
import type { RecipeName } from "../training/recipes/index.ts";
import type { BenchConcept, Prompt } from "./concepts.ts";
import { type Arm, armsOf, type Experiment, type Personalisation } from "./experiment.ts";
import { modelIdentity, picturesIdentity } from "./identity.ts";
import { keyOf } from "./store.ts";

/** A concept learned in one way, and all that is drawn with it. */
export interface Cell {
  readonly concept: BenchConcept;
  readonly personalisation: Personalisation;
  /** What trains its adapters; undefined if they are given. */
  readonly adapter: AdapterUnit | undefined;
  readonly units: readonly PictureUnit[];
}

export interface AdapterUnit {
  readonly recipe: RecipeName;
  readonly request: TrainingRequest;
  /** Holds the adapter and its run. */
  readonly folder: string;
  /** The class's pictures, shared by the adapters of a class, and how many they are. */
  readonly classFolder: string;
  readonly classPictures: number;
}

/** An experiment's pictures of one prompt by one method. */
export interface PictureUnit {
  /** Holds `<seed>.png` and, in `done.json`, their features. */
  readonly folder: string;
  readonly arm: Arm;
  readonly prompt: Prompt;
}

export interface Identities {
  readonly model: string;
  readonly encoders: readonly string[];
}

export async function planOf(
  experiment: Experiment,
  concepts: readonly BenchConcept[],
  { model, encoders }: Identities,
  folder: string,
): Promise<Cell[]> {
  const { pictures, seed, steps, sampler, token } = experiment;
  const cells: Cell[] = [];
  for (const personalisation of experiment.personalisation) {
    for (const concept of concepts) {
      const references = await picturesIdentity(resolve(concept.images));
      const given =
        "adapters" in personalisation &&
        (await Promise.all(personalisation.adapters.map((file) => modelIdentity(file))));
      const trained = given
        ? { model, adapters: given }
        : { model, personalisation, references, class: concept.class, token };
      const adapter =
        "recipe" in personalisation
          ? adapterUnit(folder, experiment, model, keyOf(trained), personalisation, concept)
          : undefined;
      const units = armsOf(experiment).flatMap((arm) =>
        concept.prompts.map((prompt): PictureUnit => {
          const text = prompt.about(subjectOf(experiment, concept));
          const contents = { trained, arm, text, pictures, seed, steps, sampler, encoders };
          return { folder: join(folder, "pictures", keyOf(contents)), arm, prompt };
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
  key: string,
  { recipe, ...settings }: Extract<Personalisation, { recipe: RecipeName }>,
  { images, class: noun }: BenchConcept,
): AdapterUnit {
  const out = join(folder, "adapters", key, "adapter.safetensors");
  const request = { ...settings, model: name, images, token, class: noun, out, resume: true };
  const { prior, priorCount, steps, batch } = fillSettings(recipe, request);
  // A run that draws fewer class pictures than asked for needs no more.
  const classPictures = prior ? Math.min(priorCount, steps * batch) : 0;
  const classFolder = join(folder, "class", keyOf({ model, class: noun, classPictures }));
  return {
    recipe,
    request: { ...request, classImages: classFolder },
    folder: join(folder, "adapters", key),
    classFolder,
    classPictures,
  };
}

/** What the subject is called in prompts: "sks cat". */
export const subjectOf = ({ token }: Pick<Experiment, "token">, concept: BenchConcept): string =>
  `${token} ${concept.class}`;
