/** The files and folders that an experiment names. */
import type { Experiment, GivenExperiment } from "./experiment.ts";

/** What a path leads to: networks and adapters may be on the hub, and `dinghy` is a network; other files are here. */
export type PathKind = "network" | "adapter" | "file";

/** The experiment with its paths mapped by `path`; an adapter's path comes with its strength. */
export function withPaths<E extends GivenExperiment>(experiment: E, path: (name: string, kind: PathKind) => string): E {
  const network = (name: string) => path(name, "network");
  const adapter = (name: string) => path(name, "adapter");
  const file = (name: string) => path(name, "file");
  const { model, base, personalisation, concepts, edits, prompts, encoders } = experiment;
  return {
    ...experiment,
    model: network(model),
    base: base && network(base),
    personalisation: personalisation.map((one) => ("adapters" in one ? { adapters: one.adapters.map(adapter) } : one)),
    concepts:
      typeof concepts === "string"
        ? concepts
        : concepts.map((one) =>
            typeof one === "string" ? one : { ...one, images: file(one.images), adapters: one.adapters?.map(adapter) },
          ),
    edits: edits && { ...edits, images: file(edits.images) },
    prompts: typeof prompts === "object" && "file" in prompts ? { ...prompts, file: file(prompts.file) } : prompts,
    encoders:
      encoders && Object.fromEntries(Object.entries(encoders).map(([name, model]) => [name, model && network(model)])),
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
