/** The script of a forked worker: does units of an experiment in its folder. */
import { serveParent } from "../jobs/index.ts";
import type { Compute } from "../runtime/index.ts";
import type { Experiment } from "./experiment.ts";
import type { RunOptions } from "./networks.ts";
import { openPlan } from "./open-plan.ts";
import type { Identities } from "./plan.ts";
import { unitJobs } from "./unit-jobs.ts";
import { openUnitWorker } from "./unit-worker.ts";
import { inPlace } from "./workplace.ts";

/** What the parent sends at first. */
export interface ForkedUnits extends Pick<RunOptions, "folder" | "device" | "threads"> {
  readonly experiment: Experiment;
  readonly named: Experiment;
  readonly identities: Identities;
  readonly compute: Compute;
}

serveParent(async (init) => {
  const { experiment, named, identities, folder, compute, device, threads } = init as ForkedUnits;
  const cells = await openPlan(experiment, identities, folder);
  const all = unitJobs(cells, { plan: "", model: identities.model }, inPlace.isDone);
  const worker = openUnitWorker({ experiment, named, compute, workplace: inPlace, device, threads });
  return { handler: worker.handler(new Map(all.map((one) => [one.job.id, one]))), close: worker.close };
});
