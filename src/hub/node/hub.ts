/**
 * Model repositories of the Hugging Face Hub, in the cache folder shared with its other tools.
 *
 * The hub library handles the protocol (repository info, listing, LFS and Xet transfer). Its cache download cannot resume,
 * report progress or be stopped, and prints to standard output, so the cache is filled here: files lie in `blobs/` under their
 * hash, linked from `snapshots/<commit>/`. Where links are not allowed, as on Windows, the file itself lies in the snapshot.
 * Two processes that fetch the same file each download it whole; neither sees the other's partial file.
 */
import { readdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join, posix, relative } from "node:path";
import { getRepoFolderName, type ListFileEntry, listFiles, modelInfo } from "@huggingface/hub";
import { exists, makeFolder } from "#bytes";
import { TillerError } from "../../errors/index.ts";
import type { HubOptions } from "../options.ts";
import type { HubRepository } from "../port.ts";
import { refuseFullDisk } from "./disk-space.ts";
import { accessToken, cacheFolderOf, hubAddress, isOffline } from "./environment.ts";
import { fetchBlob, type HubConnection } from "./hub-blob.ts";
import { explained, isUnreachable } from "./hub-errors.ts";
import { proxiedFetch } from "./proxy.ts";

const isCommit = (revision: string): boolean => /^[0-9a-f]{40}$/.test(revision);

/** The newest cached snapshot of a repository's revision, without asking the hub; undefined if there is none. */
export async function cachedSnapshot(
  { id, revision }: HubRepository,
  options: HubOptions = {},
): Promise<string | undefined> {
  const folder = repositoryFolder(id, options);
  const commits: string[] = await readdir(join(folder, "snapshots")).catch(() => []);
  const snapshotOf = (commit: string) => (commits.includes(commit) ? join(folder, "snapshots", commit) : undefined);
  if (revision !== undefined && isCommit(revision)) return snapshotOf(revision);
  const commit = await readFile(join(folder, "refs", revision ?? "main"), "utf8").catch(() => undefined);
  if (commit !== undefined) return snapshotOf(commit.trim());
  return revision === undefined && commits.length === 1 ? snapshotOf(commits[0]!) : undefined;
}

/**
 * Downloads the chosen files of a repository, at its revision or `main`, into the cache, and returns the snapshot's folder.
 *
 * Cached files are not requested again. With HF_HUB_OFFLINE=1 nothing is requested at all, and if the network or the hub is
 * down, the cached snapshot is used. HF_TOKEN or the token of `hf auth login` opens private and gated repositories; proxies
 * are taken from the environment.
 *
 * @param choose Selects the needed files from all the repository's file names.
 * @throws TillerError if the repository does not exist or may not be read, the disk has too little space, or a transfer fails
 *   five times in a row; the signal's reason if aborted.
 */
export async function fetchSnapshot(
  repository: HubRepository,
  choose: (names: readonly string[]) => readonly string[],
  options: HubOptions = {},
): Promise<string> {
  const { id, revision } = repository;
  const cached = await cachedSnapshot(repository, options);
  if (isOffline()) {
    if (cached) return cached;
    throw new TillerError(
      "hub-offline",
      `${told(repository)} is not in ${cacheFolder(options)}, and HF_HUB_OFFLINE keeps Tiller off the network: ` +
        `unset it, or pass a local file or folder.`,
      { paths: [cacheFolder(options)] },
    );
  }
  const { proxy, ...hub } = await connection(id, options);
  try {
    const { sha: commit } = await modelInfo({
      ...hub,
      name: id,
      ...(revision && { revision }),
      additionalFields: ["sha"],
    });
    if (!isCommit(commit)) throw new TillerError("hub-unreachable", `${hub.hubUrl} names no commit for ${id}.`);
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
    await refuseFullDisk(join(folder, "blobs"), progress.total, id, cacheFolder(options));
    for (const entry of needed) {
      await fetchEntry(folder, snapshot, entry, { ...hub, revision: commit }, (received) =>
        options.onProgress?.({ file: entry.path, received: progress.done + received, total: progress.total }),
      );
      progress.done += entry.size;
    }
    if (revision === undefined || !isCommit(revision)) {
      const ref = join(folder, "refs", revision ?? "main");
      await makeFolder(dirname(ref));
      await writeFile(ref, commit);
    }
    return snapshot;
  } catch (error) {
    options.signal?.throwIfAborted();
    if (cached && isUnreachable(error)) return cached;
    throw explained(error, { ...repository, name: told(repository), proxy }, hub.hubUrl, cacheFolder(options));
  }
}

const told = ({ id, revision }: HubRepository): string => (revision === undefined ? id : `${id}@${revision}`);

async function connection(id: string, { endpoint, signal }: HubOptions) {
  const token = await accessToken();
  const hubUrl = hubAddress(endpoint);
  const { fetch, proxy } = await proxiedFetch(hubUrl);
  const abortable: typeof fetch = (input, init) => fetch(input, signal ? { ...init, signal } : init);
  return { repo: id, hubUrl, fetch: abortable, signal, proxy, ...(token && { accessToken: token }) };
}

/** Fetches one file into `blobs/` and links it into the snapshot. */
async function fetchEntry(
  folder: string,
  snapshot: string,
  entry: ListFileEntry,
  hub: HubConnection,
  onReceived: (bytes: number) => void,
): Promise<void> {
  const etag = entry.lfs?.oid ?? entry.xetHash ?? entry.oid;
  if (!etag || !/^[\w-]+$/.test(etag))
    throw new TillerError("hub-unreachable", `${hub.hubUrl} names no hash for ${entry.path}.`);
  const blob = join(folder, "blobs", etag);
  const pointer = join(snapshot, entry.path);
  await makeFolder(dirname(blob));
  await makeFolder(dirname(pointer));
  if (!(await exists(blob))) await fetchBlob(blob, { ...entry, ...hub }, onReceived);
  await rm(pointer, { force: true });
  try {
    // Relative, so that the cache may be moved.
    await symlink(relative(dirname(pointer), blob), pointer);
  } catch (error) {
    // Another process made the link meanwhile, or links are not allowed; then the file itself is moved there.
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") await rename(blob, pointer);
  }
}

function cacheFolder({ cacheFolder }: HubOptions): string {
  return cacheFolder ?? cacheFolderOf();
}

function repositoryFolder(id: string, options: HubOptions): string {
  return join(cacheFolder(options), getRepoFolderName({ name: id, type: "model" }));
}

/** The path comes from the repository, and must stay inside the cache folder. */
function isSafePath(path: string): boolean {
  return !/[\\:\0]/.test(path) && !posix.isAbsolute(path) && !path.split("/").includes("..");
}
