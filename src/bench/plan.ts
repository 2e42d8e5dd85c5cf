/** The units of an experiment: an adapter for each concept and way of fine-tuning, and the pictures made with each. */
import { join, resolve } from "node:path";
import { fillSettings } from "../training/options.ts";
import type { BenchConcept, Prompt } from "./concepts.ts";
import { type Arm, armsOf, type Experiment, type Personalisation } from "./experiment.ts";
import { picturesIdentity } from "./identity.ts";
import { keyOf } from "./store.ts";

/** A concept learned in one way, and all that is drawn with it. */
export interface Cell {
  readonly concept: BenchConcept;
  readonly personalisation: Personalisation;
  readonly adapter: AdapterUnit;
  readonly units: readonly PictureUnit[];
}

export interface AdapterUnit {
  /** Holds the adapter, `out`, and its run. */
  readonly folder: string;
  readonly out: string;
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
      const trained = { model, personalisation, references, class: concept.class, token };
      const settings = { ...personalisation, token, class: concept.class };
      const adapter = adapterUnit(folder, model, keyOf(trained), settings, concept);
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
  model: string,
  key: string,
  { recipe, ...settings }: Personalisation & { token: string; class: string },
  { images }: BenchConcept,
): AdapterUnit {
  const out = join(folder, "adapters", key, "adapter.safetensors");
  const { prior, priorCount, steps, batch } = fillSettings(recipe, { ...settings, model, images, out });
  // A run that draws fewer class pictures than asked for needs no more.
  const classPictures = prior ? Math.min(priorCount, steps * batch) : 0;
  const classFolder = join(folder, "class", keyOf({ model, class: settings.class, classPictures }));
  return { folder: join(folder, "adapters", key), out, classFolder, classPictures };
}

/** What the subject is called in prompts: "sks cat". */
export const subjectOf = ({ token }: Pick<Experiment, "token">, concept: BenchConcept): string =>
  `${token} ${concept.class}`;
