/**
 * Units of work in a folder that several processes may share: each unit is a folder named by a key of its contents, done
 * once its `done.json` is there, and held by one process at a time.
 */
import { createHash } from "node:crypto";
import { mkdir, open, readFile, rm, stat, utimes } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { writeWhole } from "../files/atomic-file.ts";
import { exists } from "../files/regular-file.ts";

/** A holder says that it lives by touching its lock this often; silent for longer than `silence`, it is dead. */
const heartbeat = 5000;
const silence = 60_000;

interface Holder {
  readonly pid: number;
  readonly host: string;
  /** When the process began. */
  readonly started: number;
}

/** What decides a unit's outcome, as a short name for its folder. */
export const keyOf = (contents: unknown): string =>
  createHash("sha256").update(JSON.stringify(contents)).digest("hex").slice(0, 20);

/** What a finished unit left to say, or undefined if it is not finished. */
export async function readDone<T>(folder: string): Promise<T | undefined> {
  const file = join(folder, "done.json");
  return (await exists(file)) ? (JSON.parse(await readFile(file, "utf8")) as T) : undefined;
}

/**
 * Does a unit unless it is done, or held by another process. What `work` returns is recorded as done; what an unfinished
 * attempt left in the folder is there for `work` to go on with or to overwrite.
 *
 * @returns "held" if another process is at it.
 */
export async function doOnce(folder: string, work: () => Promise<unknown>): Promise<"done" | "held"> {
  if (await exists(join(folder, "done.json"))) return "done";
  await mkdir(folder, { recursive: true });
  const release = await hold(join(folder, "lock"));
  if (!release) return "held";
  try {
    // It may have been finished between the look and the lock.
    if (await exists(join(folder, "done.json"))) return "done";
    const text = `${JSON.stringify((await work()) ?? {})}\n`;
    await writeWhole(join(folder, "done.json"), text);
    return "done";
  } finally {
    await release();
  }
}

/** Takes the lock, from a dead holder too; undefined if a living one has it. */
async function hold(lock: string): Promise<(() => Promise<void>) | undefined> {
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
    throw error;
  }
}

/** Whether a lock's holder is at work: on this machine its process exists, on another it touches the lock. */
async function lives(lock: string): Promise<boolean> {
  const found = await stat(lock).catch(() => undefined);
  if (!found) return false;
  const silent = Date.now() - found.mtimeMs > silence;
  try {
    const { pid, host, started } = JSON.parse(await readFile(lock, "utf8")) as Holder;
    if (host !== hostname()) return !silent;
    // One of this process's number may be left from an earlier life of that number.
    return pid === process.pid ? started === performance.timeOrigin : processExists(pid);
  } catch {
    // Gone meanwhile, or its holder's name is just being written; or its holder died over it.
    return !silent && (await exists(lock));
  }
}

function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
