/** The plan of an experiment in a folder. */
import { join } from "node:path";
import { makeFolder } from "#bytes";
import { conceptsOf } from "./concepts.ts";
import type { Experiment } from "./experiment.ts";
import { type Cell, type Identities, planOf } from "./plan.ts";

/** Draws the embedded concepts' pictures. */
export async function openPlan(experiment: Experiment, identities: Identities, folder: string): Promise<Cell[]> {
  await makeFolder(folder);
  return planOf(experiment, await conceptsOf(experiment, join(folder, "references")), identities, folder);
}
