/** The files and folders that an experiment names. */
import type { Experiment } from "./experiment.ts";

/** The experiment with its paths mapped by `path`; an adapter's path comes with its strength. */
export function withPaths(experiment: Experiment, path: (name: string) => string): Experiment {
  const { model, base, personalisation, concepts, edits, prompts, encoders } = experiment;
  return {
    ...experiment,
    model: path(model),
    base: base && path(base),
    personalisation: personalisation.map((one) => ("adapters" in one ? { adapters: one.adapters.map(path) } : one)),
    concepts:
      typeof concepts === "string"
        ? concepts
        : concepts.map((one) =>
            typeof one === "string" ? one : { ...one, images: path(one.images), adapters: one.adapters?.map(path) },
          ),
    edits: edits && { ...edits, images: path(edits.images) },
    prompts: typeof prompts === "object" && "file" in prompts ? { ...prompts, file: path(prompts.file) } : prompts,
    encoders:
      encoders && Object.fromEntries(Object.entries(encoders).map(([name, model]) => [name, model && path(model)])),
  };
}

/** All of them in a fixed order; an adapter's with its strength. */
export function pathsIn(experiment: Experiment): string[] {
  const found: string[] = [];
  withPaths(experiment, (path) => {
    found.push(path);
    return path;
  });
  return found;
}
