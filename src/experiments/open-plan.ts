/** The plan of an experiment in a folder, alone or with all that it depends on. */
import { join } from "node:path";
import { makeFolder } from "#bytes";
import { type Compute, targets } from "../runtime/index.ts";
import { conceptsOf } from "./concepts.ts";
import type { Experiment, GivenExperiment } from "./experiment.ts";
import { computeOf, identitiesOf, type RunOptions } from "./networks.ts";
import { type Cell, type Identities, planOf } from "./plan.ts";
import { wholeExperiment } from "./whole.ts";

/** Draws the embedded concepts' pictures. */
export async function openPlan(experiment: Experiment, identities: Identities, folder: string): Promise<Cell[]> {
  await makeFolder(folder);
  return planOf(experiment, await conceptsOf(experiment, join(folder, "references")), identities, folder);
}

/** An experiment as it will run here. */
export interface OpenExperiment {
  readonly experiment: Experiment;
  readonly compute: Compute;
  readonly identities: Identities;
  readonly cells: readonly Cell[];
}

/** Fills an experiment in, resolves device and number type, and plans it: its networks' files are hashed for that. */
export async function openExperiment(given: GivenExperiment, options: RunOptions): Promise<OpenExperiment> {
  const whole = await wholeExperiment({ ...given, precision: options.precision ?? given.precision });
  const compute = await computeOf(whole, options);
  const computed = { engine: targets[compute.device].engine, precision: compute.precision };
  const experiment = { ...whole, computed };
  const identities = await identitiesOf(experiment);
  return { experiment, compute, identities, cells: await openPlan(experiment, identities, options.folder) };
}
