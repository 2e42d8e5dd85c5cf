/**
 * A worker process for tests. Its results depend only on the job: a picture's worth of bytes from its id. It writes a line into a
 * log for each attempt and each end.
 *
 *     node test/fleet/worker.js QUEUE STORE LOG SETTINGS
 */
import { createHash } from "node:crypto";
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** @type {typeof import("../../src/jobs/index.ts")} */
const { openJobs, openStore } = await import(new URL("../../dist/jobs/index.js", import.meta.url).href);
const [queue, place, log, settings = "{}"] = process.argv.slice(2);
const jobs = await openJobs(queue, JSON.parse(/** @type {string} */ (settings))).catch((error) => {
  if (error.code !== "queue-unreachable") throw error;
  // The server is away: whoever started this process starts another.
  return process.exit(3);
});
const store = await openStore(/** @type {string} */ (place));

/** @param {string} what @param {string} id */
const note = (what, id) => appendFileSync(/** @type {string} */ (log), `${what} ${id} ${process.pid}\n`);

/** @type {import("../../src/jobs/index.ts").Handler} */
const handler = async ({ id, data }, { signal, progress }) => {
  const { milliseconds, next = [] } = /** @type {{ milliseconds: number, next?: never[] }} */ (data);
  if (await store.has(id)) return { next };
  note("begins", id);
  for (let done = 0; done < milliseconds; done += 10) {
    signal.throwIfAborted();
    progress({ done, total: milliseconds, what: "waiting", detail: "" });
    await new Promise((over) => setTimeout(over, 10));
  }
  const folder = mkdtempSync(join(tmpdir(), "tiller-fleet-"));
  mkdirSync(join(folder, "sub"));
  writeFileSync(join(folder, "result"), createHash("sha512").update(id).digest());
  // Differs by process: if two finish the same job, all files must be of one.
  for (const name of ["who", "sub/who"]) writeFileSync(join(folder, name), String(process.pid));
  await store.publish(id, folder);
  rmSync(folder, { recursive: true });
  note("ends", id);
  return { next };
};

const working = jobs.work([`draw-${"0".repeat(20)}`, `train-${"0".repeat(20)}`], handler);
process.on("SIGTERM", async () => {
  await working.close();
  await jobs.close();
  note("stopped", "-");
});
