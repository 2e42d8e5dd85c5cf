/** Keeps class images for later runs: they do not depend on the subject. */
import { cacheFolder, exists, join, makeFolder, placeOf, stampOf, startHash, withSource } from "#bytes";
import { writeWhole } from "../../bytes/write-whole.ts";
import type { Model } from "../../families/family.ts";

/** Version of how pictures are drawn and named. */
const form = 1;

export interface KeptPictures {
  /** The PNG file for a seed, if there is one. */
  read(seed: number): Promise<Uint8Array | undefined>;
  keep(seed: number, png: Uint8Array): Promise<void>;
}

/**
 * Pictures of a model in the user's cache folder.
 *
 * @param drawnAs Everything that affects the pictures except the model and the seed.
 */
export async function keptPictures(model: Model, drawnAs: Readonly<Record<string, unknown>>): Promise<KeptPictures> {
  const folder = join(cacheFolder(), "class", await keyOf(model, drawnAs));
  const fileOf = (seed: number) => join(folder, `${seed}.png`);
  return {
    async read(seed) {
      const file = fileOf(seed);
      if (!(await exists(file))) return undefined;
      return withSource(file, (source) => source.read(0, source.size));
    },
    async keep(seed, png) {
      // It is only for later runs: this one goes on if the cache folder is not writable.
      const kept = makeFolder(folder).then(() => writeWhole(fileOf(seed), png));
      await kept.catch(() => {});
    },
  };
}

/** Identifies a model by its configs and its files with their sizes and times. */
async function keyOf(model: Model, drawnAs: Readonly<Record<string, unknown>>): Promise<string> {
  const hash = startHash();
  const { scheduler, defaults, promptTokens } = model;
  hash.update(JSON.stringify({ form, drawnAs, scheduler, defaults, promptTokens }));
  for (const [name, { config, weights }] of model.components) {
    hash.update(JSON.stringify({ name, config }));
    const files = new Set([...weights.values()].map(({ source }) => source.name));
    for (const file of files) hash.update(`|${placeOf(file)}|${await stampOf(file)}`);
  }
  return (await hash.digest()).slice(0, 32);
}
