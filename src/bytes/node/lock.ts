/** Lock files, held by one process at a time, on this machine or another that shares the disk. */
import { open, readFile, rm, stat, utimes } from "node:fs/promises";
import { hostname } from "node:os";
import { exists } from "./file-source.ts";
import { processExists } from "./process-exists.ts";
import { refusal } from "./refusal.ts";

/** Milliseconds between a holder's touches of its lock; a holder silent for longer than `silence` is dead. */
const heartbeat = 5000;
const silence = 60_000;
/** After this many silent milliseconds, a running process with the holder's id is taken for another that reuses the id. */
const longSilence = 600_000;

interface Holder {
  readonly pid: number;
  readonly host: string;
  /** When the process started, in milliseconds since 1970. */
  readonly started: number;
}

/** Takes the lock, even from a dead holder, and returns a function that releases it; undefined if a live process holds it. */
export async function hold(lock: string): Promise<(() => Promise<void>) | undefined> {
  if (!(await create(lock))) {
    if (await lives(lock)) return undefined;
    // If several processes find a dead holder, only one may replace it.
    const inheritance = `${lock}.inheritance`;
    if (!(await create(inheritance))) {
      if (!(await lives(inheritance))) await rm(inheritance, { force: true });
      return undefined;
    }
    try {
      if (await lives(lock)) return undefined;
      await rm(lock, { force: true });
      if (!(await create(lock))) return undefined;
    } finally {
      await rm(inheritance, { force: true });
    }
  }
  const beat = setInterval(() => {
    const now = new Date();
    utimes(lock, now, now).catch(() => {});
  }, heartbeat);
  beat.unref();
  return async () => {
    clearInterval(beat);
    // Another machine may have taken it while this one was asleep.
    if (await isOurs(lock)) await rm(lock, { force: true });
  };
}

const ours = (): Holder => ({ pid: process.pid, host: hostname(), started: performance.timeOrigin });

async function isOurs(lock: string): Promise<boolean> {
  const text = await readFile(lock, "utf8").catch(() => "");
  return text === JSON.stringify(ours());
}

/** Creates a file that names this process; false if the file exists. */
async function create(file: string): Promise<boolean> {
  try {
    const handle = await open(file, "wx");
    await handle.writeFile(JSON.stringify(ours()));
    await handle.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw refusal(error, file);
  }
}

/** Whether a lock's holder is alive: on this machine its process exists, on another it touches the lock. */
async function lives(lock: string): Promise<boolean> {
  const found = await stat(lock).catch(() => undefined);
  if (!found) return false;
  const age = Date.now() - found.mtimeMs;
  const silent = age > silence;
  try {
    const { pid, host, started } = JSON.parse(await readFile(lock, "utf8")) as Holder;
    if (host !== hostname()) return !silent;
    // A lock with this process's id may be left from an earlier process with that id.
    return pid === process.pid ? started === performance.timeOrigin : processExists(pid) && age < longSilence;
  } catch {
    // Removed meanwhile, or its holder is just writing its name, or died while writing it.
    return !silent && (await exists(lock));
  }
}
