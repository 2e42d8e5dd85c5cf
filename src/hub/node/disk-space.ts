/** Checks that a download fits on the disk before it begins. */
import { readdir, stat, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { TillerError } from "../../errors/index.ts";

/**
 * @param bytes Size of the files to download, including partial files that earlier runs left in `blobs`.
 * @throws TillerError if there is too little space.
 */
export async function refuseFullDisk(blobs: string, bytes: number, id: string, cacheFolder: string): Promise<void> {
  const room = await statfs(await existing(blobs)).catch(() => undefined);
  if (!room) return;
  const free = room.bavail * room.bsize;
  if (bytes <= free || bytes - (await halves(blobs)) <= free) return;
  throw new TillerError(
    "file-not-written",
    `${cacheFolder} has ${gigabytes(free)} free, and ${id} needs ${gigabytes(bytes)}: free space there or set HF_HOME.`,
    { paths: [cacheFolder] },
  );
}

/** Bytes of interrupted downloads, which will be resumed. */
async function halves(blobs: string): Promise<number> {
  const names = await readdir(blobs).catch(() => [] as string[]);
  const sizes = names
    .filter((name) => name.endsWith(".incomplete"))
    .map((name) =>
      stat(join(blobs, name)).then(
        ({ size }) => size,
        () => 0,
      ),
    );
  return (await Promise.all(sizes)).reduce((a, b) => a + b, 0);
}

async function existing(folder: string): Promise<string> {
  const there = await stat(folder).then(
    () => true,
    () => false,
  );
  return there || dirname(folder) === folder ? folder : existing(dirname(folder));
}

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(bytes < 1e8 ? 3 : 1)} GB`;
