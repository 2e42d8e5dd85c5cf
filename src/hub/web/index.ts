/** The hub, with the page's private file system as its cache. */

import { downloadFile, HUB_URL, listFiles } from "@huggingface/hub";
import { dirname, exists, join, makeFolder, writeAtomically } from "#bytes";
import { TillerError } from "../../errors/index.ts";
import type { HubOptions } from "../options.ts";
import type { HubRepository } from "../port.ts";

const folderOf = ({ id, revision }: HubRepository): string => `opfs:/hub/${id}${revision ? `@${revision}` : ""}`;

export async function cachedSnapshot(repository: HubRepository, _options?: HubOptions): Promise<string | undefined> {
  return (await exists(folderOf(repository))) ? folderOf(repository) : undefined;
}

/**
 * Downloads the chosen files of a repository, at its revision or `main`, into the page's private file system, unless they are
 * already there.
 *
 * @throws TillerError if the repository cannot be read; the signal's reason if aborted.
 */
export async function fetchSnapshot(
  repository: HubRepository,
  choose: (names: readonly string[]) => readonly string[],
  { endpoint, onProgress, signal }: HubOptions = {},
): Promise<string> {
  const abortable: typeof fetch = (input, init) => fetch(input, signal ? { ...init, signal } : init);
  const { id, revision } = repository;
  const hub = { repo: id, ...(revision && { revision }), hubUrl: endpoint ?? HUB_URL, fetch: abortable };
  const sizes = new Map<string, number>();
  try {
    for await (const entry of listFiles({ ...hub, recursive: true })) {
      if (entry.type === "file") sizes.set(entry.path, entry.size);
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw new TillerError("hub-unreachable", `${id} cannot be read from ${hub.hubUrl}: ${(error as Error).message}.`, {
      cause: error,
    });
  }
  const missing: string[] = [];
  for (const path of choose([...sizes.keys()]))
    if (!(await exists(join(folderOf(repository), path)))) missing.push(path);
  const total = missing.reduce((sum, path) => sum + sizes.get(path)!, 0);
  let received = 0;
  for (const path of missing) {
    const file = join(folderOf(repository), path);
    await makeFolder(dirname(file));
    const blob = await downloadFile({ ...hub, path });
    if (!blob) throw new TillerError("hub-changed", `${id} no longer has ${path}: try again.`);
    await writeAtomically(file, async (put) => {
      const reader = blob.stream().getReader();
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        await put(part.value);
        received += part.value.byteLength;
        onProgress?.({ file: path, received, total });
      }
    });
  }
  return folderOf(repository);
}
