/** The defaults of a request, which depend on the model, its adapters and its base. */
import { readMetadata, trainingMethodOf } from "../adapters/index.ts";
import type { FamilyDefaults, ModelDefaults } from "../families/family.ts";
import { type OpenModelOptions, openModelHere } from "../families/open-model.ts";

/**
 * A model's defaults with adapters or with a base: the guidance method that compares the two models, and the omega published for
 * the training method of the first adapter that names one.
 *
 * @param trainedBy Each adapter's training method; undefined where its file names none.
 */
export function defaultsWith(
  { personalised, omegas, ...plain }: FamilyDefaults,
  trainedBy: readonly (string | undefined)[],
  base = false,
): ModelDefaults {
  if (trainedBy.length === 0 && !base) return plain;
  const trained = trainedBy.find((name) => name !== undefined);
  const omega = trained !== undefined && Object.hasOwn(omegas, trained) ? omegas[trained]! : plain.omega;
  return { ...plain, guidance: personalised, omega };
}

/**
 * A model's defaults for requests, without loading it.
 *
 * @param adapters Files of adapters.
 * @param options How to open it; a `base` counts as an adapter does.
 * @returns Undefined for a hub model that has not been downloaded.
 * @throws TillerError if the model or an adapter cannot be opened.
 */
export async function defaultsOf(
  model: string,
  adapters: readonly string[] = [],
  options: OpenModelOptions = {},
): Promise<ModelDefaults | undefined> {
  const opened = await openModelHere(model, options);
  return opened && defaultsWith(opened.defaults, await trainedBy(adapters), options.base !== undefined);
}

/** The training methods that adapters' files name. */
export const trainedBy = (files: readonly string[]): Promise<(string | undefined)[]> =>
  Promise.all(files.map(async (file) => trainingMethodOf(await readMetadata(file))));
