/** What `tiller worker` needs of experiments: not part of the public API. */
export { openExperimentWorker } from "./experiment-worker.ts";
export { allowedModels } from "./shared-plan.ts";
