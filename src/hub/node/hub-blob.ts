/** One file of the hub, brought whole and right into the cache's `blobs/`, over as many broken connections as it takes. */
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

/** How often in a row a transfer may break off without having brought a byte before it is given up. */
const maxAttempts = 5;

/**
 * Downloads a file to `blob`. A transfer that breaks off goes on where it stopped: in the same run after a pause, in a later
 * run at once. What came is checked against the file's hash before it gets its name.
 *
 * @param onReceived Bytes of the file that are there, counting what an earlier run left.
 * @throws TillerError if it breaks off five times without progress; HubApiError if the hub refuses; the signal's reason if
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

/** In the place of the process id: nobody is writing to this part of a blob. */
const resumable = "resumable";

/**
 * A name under which this call alone writes the blob. What a run that is over has left of it is taken over by renaming, which
 * only one of several processes can do.
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

/** Brings `partial` from whatever length it has to the whole file, and checks it. */
async function complete(partial: string, file: HubFile, onReceived: (bytes: number) => void): Promise<void> {
  const { size, path, repo, signal } = file;
  for (let attempt = 1; ; attempt++) {
    const started = await sizeOf(partial);
    try {
      await append(partial, started, file, onReceived);
      if (await hasHash(partial, file)) return;
      throw new WrongBytes("what was received does not have the file's hash");
    } catch (error) {
      // Wrong bytes can't be continued: start over.
      if (error instanceof WrongBytes) await rm(partial, { force: true });
      signal?.throwIfAborted();
      if (!isTransient(error)) throw error;
      const now = await sizeOf(partial);
      if (now > started && now < size) attempt = 0;
      if (attempt >= maxAttempts) {
        throw new TillerError(
          "hub-download-failed",
          `${path} of ${repo} could not be downloaded: ${causeOf(error)}. Run it again to go on from there.`,
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
  if (from > size) throw new WrongBytes("more bytes are there than the file has");
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

/** LFS names a file by its SHA-256, git by the SHA-1 of "blob <size>\0" and the content. A Xet hash alone isn't checked. */
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
