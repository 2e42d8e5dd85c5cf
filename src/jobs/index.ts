/** Jobs that one process does, or many: what they are, the engines that deliver them, and the stores that keep their results. */
export { digestOf } from "../bytes/node/digest.ts";
export { masked } from "./address.ts";
export type { BullOptions } from "./bull.ts";
export { openEmbedded } from "./embedded.ts";
export { openFolderStore, placeIn } from "./folder-store.ts";
export { forkWorker, serveParent } from "./forked.ts";
export {
  type Handler,
  type HandlerContext,
  type JobAddress,
  type JobEvent,
  type JobKind,
  type JobProgress,
  type JobSpec,
  type JobState,
  type JobStatus,
  type Jobs,
  jobKinds,
  jobStates,
  keyPattern,
  queueOf,
  queuesOf,
  type Working,
} from "./job.ts";
export { openJobs } from "./open-jobs.ts";
export { openStore } from "./open-store.ts";
export { type Planned, reconcile } from "./reconcile.ts";
export { fetchShared, share, shareText, withCopies } from "./shared.ts";
export type { Store } from "./store.ts";
export { inFolder, makeWorkerFolder } from "./worker-folder.ts";
