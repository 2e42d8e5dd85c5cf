/**
 * A worker process for tests of Studio: what `tiller worker` does, with the locks of tests.
 *
 *     node test/fleet/studio-worker.js QUEUE STORE MODEL SETTINGS
 */
/** @param {string} file */
const built = (file) => import(new URL(`../../dist/${file}`, import.meta.url).href);

/** @type {typeof import("../../src/jobs/index.ts")} */
const { openJobs, openStore, queuesOf } = await built("jobs/index.js");
/** @type {typeof import("../../src/experiments/fleet.ts")} */
const { allowedModels } = await built("experiments/fleet.js");
/** @type {typeof import("../../src/server/fleet.ts")} */
const { openStudioWorker } = await built("server/fleet.js");

const [queue, place, model, settings] = /** @type {[string, string, string, string]} */ (
  /** @type {unknown} */ (process.argv.slice(2))
);
const allowed = await allowedModels([model]);
const jobs = await openJobs(queue, JSON.parse(settings));
const worker = openStudioWorker({ store: await openStore(place), allowed, device: "cpu", threads: 1 });
const working = jobs.work(queuesOf(["pictures", "training"], [...allowed.keys()]), worker.handler);
process.on("SIGTERM", async () => {
  await working.close();
  await worker.close();
  await jobs.close();
});
