/** Downloads one hub file into the cache's `blobs/`, resuming broken connections and verifying the result. */
import { createHash, randomUUID } from "node:crypto";
import { open, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { downloadFile, type ListFileEntry } from "@huggingface/hub";
import { writeAll } from "../../bytes/node/atomic-file.ts";
import { processExists } from "../../bytes/node/process-exists.ts";
import { TillerError } from "../../errors/index.ts";
import { isXetOff } from "./environment.ts";
import { causeOf, isTransient } from "./hub-errors.ts";

/** How to reach a repository at one commit. */
export interface HubConnection {
  readonly repo: string;
  readonly revision: string;
  readonly hubUrl: string;
  readonly fetch: typeof fetch;
  readonly accessToken?: string;
  readonly signal?: AbortSignal | undefined;
}

export type HubFile = ListFileEntry & HubConnection;

/** Attempts in a row that may fail without receiving a byte before giving up. */
const maxAttempts = 5;

/**
 * Downloads a file to `blob`. An interrupted transfer resumes where it stopped: after a pause in the same run, at once in a
 * later run. The content is checked against the file's hash before the file gets its name.
 *
 * @param onReceived Called with the bytes of the file received so far, including those of an earlier run.
 * @throws TillerError if it fails five times without progress; HubApiError if the hub refuses; the signal's reason if
 *   aborted.
 */
export async function fetchBlob(blob: string, file: HubFile, onReceived: (bytes: number) => void): Promise<void> {
  const partial = await claimPartial(blob);
  try {
    await complete(partial, file, onReceived);
    await rename(partial, blob);
  } catch (error) {
    await rename(partial, `${blob}.${resumable}.incomplete`).catch(() => {});
    throw error;
  }
}

/** Replaces the process id in the name of a partial file that nobody is writing. */
const resumable = "resumable";

/**
 * A file name under which only this call writes the blob. A partial file left by a finished run is taken over by renaming it,
 * at which only one process can succeed.
 */
async function claimPartial(blob: string): Promise<string> {
  const mine = `${blob}.${process.pid}-${randomUUID().slice(0, 8)}.incomplete`;
  const pattern = /^[\w-]+\.(?:(\d+)-[0-9a-f]{8}|resumable)\.incomplete$/;
  for (const name of await readdir(dirname(blob))) {
    const left = name.startsWith(`${basename(blob)}.`) ? pattern.exec(name) : null;
    if (!left || (left[1] !== undefined && processExists(Number(left[1])))) continue;
    const claimed = await rename(join(dirname(blob), name), mine).then(
      () => true,
      () => false,
    );
    if (claimed) break;
  }
  return mine;
}

/** Completes `partial` from its current length, and verifies it. */
async function complete(partial: string, file: HubFile, onReceived: (bytes: number) => void): Promise<void> {
  const { size, path, repo, signal } = file;
  for (let attempt = 1; ; attempt++) {
    const started = await sizeOf(partial);
    try {
      await append(partial, started, file, onReceived);
      if (await hasHash(partial, file)) return;
      throw new WrongBytes("what was received does not have the file's hash");
    } catch (error) {
      // Wrong bytes cannot be resumed: start over.
      if (error instanceof WrongBytes) await rm(partial, { force: true });
      signal?.throwIfAborted();
      if (!isTransient(error)) throw error;
      const now = await sizeOf(partial);
      if (now > started && now < size) attempt = 0;
      if (attempt >= maxAttempts) {
        throw new TillerError(
          "hub-download-failed",
          `${path} of ${repo} could not be downloaded: ${causeOf(error)}. Run it again to resume.`,
          { paths: [path], cause: error },
        );
      }
    }
    await pause(Math.min(8000, 250 * 2 ** attempt), undefined, { signal });
  }
}

class WrongBytes extends Error {}

async function append(
  partial: string,
  from: number,
  file: HubFile,
  onReceived: (bytes: number) => void,
): Promise<void> {
  const { size, path, repo } = file;
  if (from > size) throw new WrongBytes("the partial download is larger than the file");
  const handle = await open(partial, "a");
  try {
    onReceived(from);
    if (from === size) return;
    const whole = await downloadFile({ ...file, xet: !isXetOff() });
    if (!whole) throw new TillerError("hub-changed", `${repo} no longer has ${path}; try again.`);
    let received = from;
    for await (const piece of whole.slice(from, size).stream() as unknown as AsyncIterable<Uint8Array>) {
      received += piece.byteLength;
      if (received > size) throw new WrongBytes("the hub sent more bytes than the file has");
      await writeAll(handle, piece);
      onReceived(received);
    }
    if (received < size) throw new Error(`the connection closed after ${received} of ${size} bytes`);
  } finally {
    await handle.close();
  }
}

/** LFS identifies a file by its SHA-256, git by the SHA-1 of "blob <size>\0" and the content. A Xet hash alone is not checked. */
async function hasHash(partial: string, { lfs, oid, xetHash, size }: HubFile): Promise<boolean> {
  if (!lfs && xetHash) return true;
  const hash = createHash(lfs ? "sha256" : "sha1");
  if (!lfs) hash.update(`blob ${size}\0`);
  const handle = await open(partial);
  try {
    for await (const piece of handle.createReadStream({ highWaterMark: 1 << 20, autoClose: false })) hash.update(piece);
  } finally {
    await handle.close();
  }
  return hash.digest("hex") === (lfs?.oid ?? oid);
}

function sizeOf(file: string): Promise<number> {
  return stat(file).then(
    ({ size }) => size,
    () => 0,
  );
}
