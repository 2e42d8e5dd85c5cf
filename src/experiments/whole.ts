/** Fills in an experiment's defaults from its model. */
import { openModel } from "../families/open-model.ts";
import { parseAdapter } from "../pipelines/adapter-spec.ts";
import { defaultsWith, trainedBy } from "../pipelines/defaults.ts";
import { usualBefore } from "../recipe/request.ts";
import { completedExperiment, type Experiment, type GivenExperiment, isWhole } from "./experiment.ts";

/**
 * The experiment with all settings filled in; the model is opened only if one is missing.
 *
 * @throws TillerError as {@link completedExperiment} does, and if the model or an adapter cannot be opened.
 */
export async function wholeExperiment(given: GivenExperiment): Promise<Experiment> {
  if (isWhole(given)) return completedExperiment(given, { ...usualBefore, omegas: [] });
  const { defaults } = await openModel(given.model, { base: given.base });
  const omegas = await Promise.all(
    given.personalisation.map(async (one) => {
      const methods =
        "recipe" in one ? [one.recipe] : await trainedBy(one.adapters.map((spec) => parseAdapter(spec).file));
      return defaultsWith(defaults, methods).omega;
    }),
  );
  return completedExperiment(given, { ...defaults, omegas });
}

/** An experiment read from its folder: settings missing in old files get the defaults of that time. */
export const keptExperiment = (given: GivenExperiment): Experiment =>
  completedExperiment(given, { ...usualBefore, omegas: [usualBefore.omega] });
