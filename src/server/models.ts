/** The models a server offers, by name; their paths stay private. */

import { basename, resolve } from "node:path";
import { embeddedModel, TillerError } from "../index.ts";

export interface OfferedModel {
  readonly name: string;
  /** A folder, a file, a hub id, or the embedded model's name. */
  readonly source: string;
}

export interface Models {
  readonly list: readonly OfferedModel[];
  /** @throws TillerError if there is no model of this name. */
  get(name: string | undefined): OfferedModel;
}

/** @throws TillerError if two models have the same name. */
export function modelsOf(sources: readonly string[]): Models {
  const all = sources.length > 0 ? sources : [embeddedModel];
  const list = all.map((source) => ({
    name: /^[\w.-]+\/[\w.-]+$/.test(source) || source === embeddedModel ? source : basename(resolve(source)),
    source,
  }));
  const twice = list.find(({ name }, i) => list.findIndex((other) => other.name === name) !== i);
  if (twice)
    throw new TillerError(
      "model-name-twice",
      `two models are called ${twice.name}: rename one of the folders, or leave one out.`,
    );
  return {
    list,
    get(name) {
      const found = name === undefined ? list[0] : list.find((model) => model.name === name);
      if (found) return found;
      throw new TillerError(
        "model-unknown",
        `there is no model ${name} here: choose one of ${list.map((m) => m.name).join(", ")}.`,
      );
    },
  };
}

/**
 * Models that a job names by their hashes, at their places on this machine.
 *
 * @throws TillerError if one of them may not be opened here.
 */
export function modelsAllowed(hashes: Readonly<Record<string, string>>, allowed: ReadonlyMap<string, string>): Models {
  const list = Object.entries(hashes).map(([name, hash]) => {
    const source = allowed.get(hash);
    if (source !== undefined) return { name, source };
    throw new TillerError(
      "model-not-allowed",
      `the job needs the model ${name}, which this worker may not open or has in another version: start it with --allow-model.`,
    );
  });
  return { list, get: (name) => list.find((model) => model.name === name) ?? list[0]! };
}
