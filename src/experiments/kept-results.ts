/** Reads the results in a folder, whether or not the units that made them are there. */
import { join } from "node:path";
import { z } from "zod";
import { exists } from "#bytes";
import { jsonObject, readJson } from "../bytes/json-file.ts";
import { guidanceNames } from "../guidance/index.ts";
import { parseExperiment } from "./experiment.ts";
import type { Results } from "./results.ts";
import { keptExperiment } from "./whole.ts";

/** JSON has null for NaN. */
const bound = z
  .number()
  .nullable()
  .transform((value) => value ?? Number.NaN);
const intervals = z.record(z.string(), z.looseObject({ mean: z.number(), low: bound, high: bound }));

/** Checks what tables need; the rest is taken as it is. */
const schema = z.looseObject({
  experiment: jsonObject,
  units: z.looseObject({ done: z.number(), total: z.number() }),
  arms: z.array(
    z.looseObject({
      personalisation: z.string(),
      name: z.string(),
      arm: z.looseObject({ guidance: z.enum(guidanceNames) }),
      scores: intervals,
      overCfg: intervals.optional(),
      rows: z.number(),
      secondsPerPicture: z.number(),
      memory: z.number(),
      prompts: z.array(z.looseObject({ concept: z.string(), prompt: z.string(), folder: z.string() })),
    }),
  ),
  pairs: z
    .array(z.looseObject({ personalisation: z.string(), name: z.string(), over: z.string(), differences: intervals }))
    .optional(),
});

/** The largest results.json in bytes; ours have up to three megabytes. */
const largest = 1 << 30;

/**
 * The results in a folder's results.json; undefined if there is none.
 *
 * @throws TillerError if the file cannot be read, or holds something else.
 */
export async function keptResults(folder: string): Promise<Results | undefined> {
  const file = join(folder, "results.json");
  if (!(await exists(file))) return undefined;
  const kept = await readJson(file, schema, largest);
  return { ...kept, experiment: keptExperiment(parseExperiment(kept.experiment, file)) } as unknown as Results;
}
