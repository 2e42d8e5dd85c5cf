/** Locks: files that one process holds at a time, on this machine or on another that shares the disk. */
import { open, readFile, rm, stat, utimes } from "node:fs/promises";
import { hostname } from "node:os";
import { exists } from "./file-source.ts";
import { processExists } from "./process-exists.ts";
import { refusal } from "./refusal.ts";

/** A holder says that it lives by touching its lock this often; silent for longer than `silence`, it is dead. */
const heartbeat = 5000;
const silence = 60_000;
/** A process of a lock's number that is silent for so long is another, that has the number since. */
const longSilence = 600_000;

interface Holder {
  readonly pid: number;
  readonly host: string;
  /** When the process began. */
  readonly started: number;
}

/** Takes the lock, from a dead holder too, and returns what gives it back; undefined if a living one has it. */
export async function hold(lock: string): Promise<(() => Promise<void>) | undefined> {
  if (!(await create(lock))) {
    if (await lives(lock)) return undefined;
    // Of several that find a dead holder one alone may take its place.
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
    // Another machine may have taken it while this one slept.
    if (await isOurs(lock)) await rm(lock, { force: true });
  };
}

const ours = (): Holder => ({ pid: process.pid, host: hostname(), started: performance.timeOrigin });

async function isOurs(lock: string): Promise<boolean> {
  const text = await readFile(lock, "utf8").catch(() => "");
  return text === JSON.stringify(ours());
}

/** A file with this process's name on it; false if there is one already. */
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

/** Whether a lock's holder is at work: on this machine its process exists, on another it touches the lock. */
async function lives(lock: string): Promise<boolean> {
  const found = await stat(lock).catch(() => undefined);
  if (!found) return false;
  const age = Date.now() - found.mtimeMs;
  const silent = age > silence;
  try {
    const { pid, host, started } = JSON.parse(await readFile(lock, "utf8")) as Holder;
    if (host !== hostname()) return !silent;
    // One of this process's number may be left from an earlier life of that number.
    return pid === process.pid ? started === performance.timeOrigin : processExists(pid) && age < longSilence;
  } catch {
    // Gone meanwhile, or its holder's name is just being written; or its holder died over it.
    return !silent && (await exists(lock));
  }
}
