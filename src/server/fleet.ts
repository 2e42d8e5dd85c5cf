/** What `tiller worker` needs of the server: not part of the public API. */
export { openStudioWorker } from "./studio-worker.ts";
export { openWorkerMetrics } from "./worker-metrics.ts";
