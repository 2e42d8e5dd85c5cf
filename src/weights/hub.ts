/**
 * Model repositories of the Hugging Face Hub, in the cache folder that all its tools share.
 *
 * The hub's own library speaks the protocol (repository info, listing, LFS and Xet transfer). Its cache download can neither
 * resume nor report nor be stopped, and prints to standard output, so what it does with the bytes is done here instead: the
 * blob grows under `blobs/<etag>.incomplete`, a transfer that breaks off goes on where it stopped (in the same run after a
 * pause, in a later run at once), the finished blob is checked against the hash that names it, and only then is it renamed
 * and linked from `snapshots/<commit>/`. Where links are not allowed, as on Windows, the file itself lies in the snapshot.
 */
import { createHash } from "node:crypto";
import { access, mkdir, open, readdir, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join, posix, relative } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import {
  downloadFile,
  getHFHubCachePath,
  getRepoFolderName,
  HUB_URL,
  HubApiError,
  type ListFileEntry,
  listFiles,
  modelInfo,
} from "@huggingface/hub";
import { TillerError } from "../errors.ts";
import { writeAll } from "./atomic-file.ts";

/** How far the files of one model have come. Bytes; what an earlier run left behind counts as received. */
export interface DownloadProgress {
  /** The file being fetched, as the repository names it. */
  readonly file: string;
  readonly received: number;
  readonly total: number;
}

export interface HubOptions {
  /** Address of the hub. Default: HF_ENDPOINT, else https://huggingface.co. */
  readonly endpoint?: string | undefined;
  /** Default: HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME/hub, else ~/.cache/huggingface/hub. */
  readonly cacheFolder?: string | undefined;
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
  /** Stops the download; what has come stays and is resumed from. */
  readonly signal?: AbortSignal | undefined;
}

/** Whether a string can be a repository's name on the hub: `owner/name`. */
export function isHubId(text: string): boolean {
  return /^[A-Za-z0-9][\w.-]*\/[A-Za-z0-9_][\w.-]*$/.test(text) && !text.includes("..") && !text.includes("--");
}

/** The newest snapshot of a repository that is in the cache, without asking the hub; undefined if there is none. */
export async function cachedSnapshot(id: string, options: HubOptions = {}): Promise<string | undefined> {
  const folder = repositoryFolder(id, options);
  const commit = await readFile(join(folder, "refs", "main"), "utf8").catch(() => undefined);
  const commits: string[] = await readdir(join(folder, "snapshots")).catch(() => []);
  const chosen = commit === undefined ? (commits.length === 1 ? commits[0] : undefined) : commit.trim();
  return chosen !== undefined && commits.includes(chosen) ? join(folder, "snapshots", chosen) : undefined;
}

/**
 * Brings the chosen files of a repository's `main` into the cache and returns the snapshot's folder.
 *
 * Files that are there are not asked for again. With HF_HUB_OFFLINE=1 nothing is asked for at all, and where the network or
 * the hub is down the cached snapshot serves. HF_TOKEN opens private and gated repositories.
 *
 * @param choose From all the repository's file names, those needed.
 * @throws TillerError if the repository does not exist or may not be read, or a transfer fails five times in a row; the
 *   signal's reason if it was aborted.
 */
export async function fetchSnapshot(
  id: string,
  choose: (names: readonly string[]) => readonly string[],
  options: HubOptions = {},
): Promise<string> {
  const cached = await cachedSnapshot(id, options);
  if (offline()) {
    if (cached) return cached;
    throw new TillerError(
      `${id} is not in ${cacheFolder(options)}, and HF_HUB_OFFLINE keeps Tiller off the network: ` +
        `unset it, or pass a model's folder.`,
    );
  }
  const hub = connection(id, options);
  try {
    const { sha: commit } = await modelInfo({ ...hub, name: id, additionalFields: ["sha"] });
    if (!/^[0-9a-f]{40}$/.test(commit)) throw new TillerError(`${hub.hubUrl} names no commit for ${id}.`);
    const entries = new Map<string, ListFileEntry>();
    for await (const entry of listFiles({ ...hub, recursive: true, revision: commit })) {
      if (entry.type === "file" && isSafePath(entry.path)) entries.set(entry.path, entry);
    }
    const folder = repositoryFolder(id, options);
    const snapshot = join(folder, "snapshots", commit);
    const needed: ListFileEntry[] = [];
    for (const path of choose([...entries.keys()])) {
      if (!(await exists(join(snapshot, path)))) needed.push(entries.get(path)!);
    }
    const progress = { total: needed.reduce((sum, { size }) => sum + size, 0), done: 0 };
    for (const entry of needed) {
      await fetchEntry(folder, snapshot, entry, { ...hub, revision: commit }, (received) =>
        options.onProgress?.({ file: entry.path, received: progress.done + received, total: progress.total }),
      );
      progress.done += entry.size;
    }
    await mkdir(join(folder, "refs"), { recursive: true });
    await writeFile(join(folder, "refs", "main"), commit);
    return snapshot;
  } catch (error) {
    options.signal?.throwIfAborted();
    if (cached && isUnreachable(error)) return cached;
    throw explained(error, id, hub.hubUrl, options);
  }
}

/** How often a transfer may break off without having brought a byte before it is given up. */
const maxAttempts = 5;

type Connection = ReturnType<typeof connection>;

function connection(id: string, { endpoint, signal }: HubOptions) {
  const token = process.env.HF_TOKEN?.trim();
  if (token && !token.startsWith("hf_")) {
    throw new TillerError('HF_TOKEN is not an access token of the hub: one begins with "hf_". Correct it or unset it.');
  }
  const hubUrl = (endpoint ?? process.env.HF_ENDPOINT ?? HUB_URL).replace(/\/+$/, "");
  const abortable: typeof fetch = (input, init) => fetch(input, signal ? { ...init, signal } : init);
  return { repo: id, hubUrl, fetch: abortable, signal, ...(token && { accessToken: token }) };
}

/** Fetches one file into `blobs/` and links it into the snapshot. */
async function fetchEntry(
  folder: string,
  snapshot: string,
  entry: ListFileEntry,
  hub: Connection & { revision: string },
  onReceived: (bytes: number) => void,
): Promise<void> {
  const etag = entry.lfs?.oid ?? entry.xetHash ?? entry.oid;
  if (!etag || !/^[\w-]+$/.test(etag)) throw new TillerError(`${hub.hubUrl} names no hash for ${entry.path}.`);
  const blob = join(folder, "blobs", etag);
  const pointer = join(snapshot, entry.path);
  await mkdir(dirname(blob), { recursive: true });
  await mkdir(dirname(pointer), { recursive: true });
  if (!(await exists(blob))) {
    await fetchBlob(`${blob}.incomplete`, entry, hub, onReceived);
    await rename(`${blob}.incomplete`, blob);
  }
  await rm(pointer, { force: true });
  // A relative link, so that the cache may be moved. Without the right to make one, the file itself goes there.
  await symlink(relative(dirname(pointer), blob), pointer).catch(() => rename(blob, pointer));
}

async function fetchBlob(
  incomplete: string,
  entry: ListFileEntry,
  hub: Connection & { revision: string },
  onReceived: (bytes: number) => void,
): Promise<void> {
  const { size, path } = entry;
  for (let attempt = 1; ; attempt++) {
    const before = await sizeOf(incomplete);
    if (before > size) await rm(incomplete);
    let received = before > size ? 0 : before;
    const started = received;
    try {
      if (received < size || size === 0) {
        const whole = await downloadFile({ ...hub, path });
        if (!whole) throw new TillerError(`${hub.repo} no longer has ${path}; try again.`);
        const handle = await open(incomplete, "a");
        try {
          onReceived(received);
          if (received < size) {
            for await (const piece of whole.slice(received, size).stream() as unknown as AsyncIterable<Uint8Array>) {
              await writeAll(handle, piece);
              received += piece.byteLength;
              onReceived(Math.min(received, size));
            }
          }
        } finally {
          await handle.close();
        }
      }
      if (received === size && (await hasHash(incomplete, entry))) return;
      if (received >= size) {
        // Wrong bytes can't be continued: whatever is there, start over.
        await rm(incomplete, { force: true });
        throw new Error("the bytes received do not have the file's hash");
      }
      throw new Error(`the connection closed after ${received} of ${size} bytes`);
    } catch (error) {
      hub.signal?.throwIfAborted();
      if (!isTransient(error)) throw error;
      if (received > started && received < size) attempt = 0;
      if (attempt >= maxAttempts) {
        throw new TillerError(
          `${path} of ${hub.repo} could not be downloaded: ${causeOf(error)}. Run it again to go on from there.`,
          { cause: error },
        );
      }
      await pause(Math.min(8000, 250 * 2 ** attempt), undefined, { signal: hub.signal });
    }
  }
}

/** LFS names a file by its SHA-256, git by the SHA-1 of "blob <size>\0" and the content. A Xet hash alone isn't checked. */
async function hasHash(file: string, { lfs, oid, xetHash, size }: ListFileEntry): Promise<boolean> {
  if (!lfs && xetHash) return true;
  const hash = createHash(lfs ? "sha256" : "sha1");
  if (!lfs) hash.update(`blob ${size}\0`);
  const handle = await open(file);
  try {
    for await (const piece of handle.createReadStream({ highWaterMark: 1 << 20, autoClose: false })) hash.update(piece);
  } finally {
    await handle.close();
  }
  return hash.digest("hex") === (lfs?.oid ?? oid);
}

function cacheFolder({ cacheFolder }: HubOptions): string {
  return cacheFolder ?? getHFHubCachePath();
}

function repositoryFolder(id: string, options: HubOptions): string {
  return join(cacheFolder(options), getRepoFolderName({ name: id, type: "model" }));
}

function offline(): boolean {
  return /^(1|on|yes|true)$/i.test(process.env.HF_HUB_OFFLINE ?? "");
}

/** The path comes from the repository and is joined to a folder of ours. */
function isSafePath(path: string): boolean {
  return !/[\\:\0]/.test(path) && !posix.isAbsolute(path) && !path.split("/").includes("..");
}

function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

function sizeOf(file: string): Promise<number> {
  return stat(file).then(
    ({ size }) => size,
    () => 0,
  );
}

/** `fetch` reports every network failure as a TypeError, with the reason in `cause`. */
function isUnreachable(error: unknown): boolean {
  return error instanceof TypeError || (error instanceof HubApiError && error.statusCode >= 500);
}

/** Whether asking again may help: not if the hub refused, nor if the disk did. */
function isTransient(error: unknown): boolean {
  if (error instanceof TillerError) return false;
  if (error instanceof HubApiError)
    return error.statusCode >= 500 || error.statusCode === 429 || error.statusCode === 408;
  return !("syscall" in (error as object) && "path" in (error as object)) && !isDiskError(error);
}

function isDiskError(error: unknown): boolean {
  return ["ENOSPC", "EACCES", "EROFS", "EDQUOT", "EPERM"].includes((error as NodeJS.ErrnoException).code ?? "");
}

function causeOf(error: unknown): string {
  const { message, cause } = error as Error;
  const { code } = (cause ?? {}) as NodeJS.ErrnoException;
  return code ? `${message} (${code})` : message;
}

function explained(error: unknown, id: string, hubUrl: string, options: HubOptions): unknown {
  if (error instanceof TillerError) return error;
  const page = `${hubUrl}/${id}`;
  if (error instanceof HubApiError) {
    const { statusCode } = error;
    const sentence =
      statusCode === 401
        ? `${id} does not exist on ${hubUrl}, or is private or gated: check the name, accept its terms at ${page}, and set HF_TOKEN to your access token.`
        : statusCode === 403
          ? `${id} is gated: accept its terms at ${page} with the account that HF_TOKEN belongs to.`
          : statusCode === 404
            ? `${id} does not exist on ${hubUrl}: check the name.`
            : `${hubUrl} answered ${statusCode} when asked for ${id}: try again later.`;
    return new TillerError(sentence, { cause: error });
  }
  if (isDiskError(error)) {
    const { code } = error as NodeJS.ErrnoException;
    return new TillerError(`${cacheFolder(options)} could not be written (${code}): free space there or set HF_HOME.`, {
      cause: error,
    });
  }
  if (isUnreachable(error)) {
    return new TillerError(
      `${hubUrl} could not be reached for ${id} (${causeOf(error)}): check the network, or pass a model's folder.`,
      { cause: error },
    );
  }
  return error;
}
