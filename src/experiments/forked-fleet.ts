/** The script of a forked worker of a fleet: does units of any experiment in a store that need no other models than its own. */
import { openStore, serveParent } from "../jobs/index.ts";
import { openExperimentWorker } from "./experiment-worker.ts";
import type { RunOptions } from "./networks.ts";

/** What the parent sends at first. */
export interface ForkedFleet extends Pick<RunOptions, "device" | "threads"> {
  /** A folder, or `s3://bucket/prefix`. */
  readonly store: string;
  readonly insecure: boolean;
  /** Hashes of models and encoders, each with its place. */
  readonly allowed: readonly (readonly [identity: string, place: string])[];
}

serveParent(async (init) => {
  const { store, insecure, allowed, device, threads } = init as ForkedFleet;
  return openExperimentWorker({
    store: await openStore(store, { insecure }),
    allowed: new Map(allowed),
    device,
    threads,
  });
});
