/** Temporary folders of workers. Those of processes that were killed are removed by the next worker. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { processExists } from "../bytes/node/process-exists.ts";

const prefix = "tiller-worker-";
const ours = join(tmpdir(), `${prefix}${process.pid}-`);

/** Makes a folder for this process, and removes those of killed ones. */
export function makeWorkerFolder(): string {
  for (const name of readdirSync(tmpdir())) {
    const pid = name.startsWith(prefix) ? Number.parseInt(name.slice(prefix.length), 10) : Number.NaN;
    if (pid > 0 && !processExists(pid)) rmSync(join(tmpdir(), name), { recursive: true, force: true });
  }
  return mkdtempSync(ours);
}

/** Calls `use` with a folder that is there meanwhile. */
export async function inFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(ours);
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
