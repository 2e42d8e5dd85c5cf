/** The list of the files of a result, with their hashes: written last, it makes the result complete. */
import { readdir, stat } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { z } from "zod";
import { sha256Of } from "../bytes/hash-file.ts";
import { TillerError } from "../errors/index.ts";
import { keyPattern } from "./job.ts";

/** The most files and bytes of one result, and the most bytes of a manifest. */
const [mostFiles, mostBytes] = [20_000, 2 ** 32];
export const largestManifest = 8 << 20;

/** Whether a name with slashes leads to a file in the folder that it is relative to, on every system. */
function isInside(name: string): boolean {
  return !/[\\:\p{Cc}]/u.test(name) && name.split("/").every((part) => !["", ".", ".."].includes(part));
}

const fileSchema = z.strictObject({
  /** Its path within the result, with slashes; never out of it. */
  name: z.string().min(1).max(500).refine(isInside, "must lead into the result"),
  bytes: z.number().int().min(0).max(mostBytes),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

const manifestSchema = z.strictObject({ files: z.array(fileSchema).max(mostFiles) });

export type StoredFile = z.output<typeof fileSchema>;

/** The files under a folder, by name. */
export async function filesOf(folder: string): Promise<StoredFile[]> {
  const files: StoredFile[] = [];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const name = relative(folder, path).split(sep).join("/");
    // Locks and unfinished files are this machine's.
    if (name === manifestName || /(?:^|\/)lock$|\.tmp$/.test(name)) continue;
    files.push({ name, bytes: (await stat(path)).size, sha256: await sha256Of(path) });
  }
  files.sort((a, b) => (a.name < b.name ? -1 : 1));
  return files;
}

/** The files with that which makes a unit of an experiment complete at the end. */
export const lastOfAll = (files: readonly StoredFile[]): readonly StoredFile[] =>
  [...files].sort((a, b) => Number(a.name.endsWith("done.json")) - Number(b.name.endsWith("done.json")));

export const manifestName = ".manifest.json";

export const manifestText = (files: readonly StoredFile[]): string => `${JSON.stringify({ files })}\n`;

/** @throws TillerError `store-damaged` if it is not a manifest, or lists more than a result may have. */
export function parseManifest(text: string, where: string): readonly StoredFile[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const parsed = manifestSchema.safeParse(value);
  if (!parsed.success) throw damaged(where, "its list of files cannot be read");
  const { files } = parsed.data;
  if (files.reduce((sum, { bytes }) => sum + bytes, 0) > mostBytes)
    throw damaged(where, `it has more than ${mostBytes} bytes`);
  return files;
}

export const damaged = (where: string, why: string): TillerError =>
  new TillerError("store-damaged", `${where} is damaged: ${why}; remove it, and it is made again.`);

export const missing = (where: string): TillerError =>
  new TillerError("result-missing", `the store has no ${where}: it was removed, or never finished.`);

/** @throws TillerError `job-invalid` unless it is a key. */
export function checkedKey(key: string): string {
  if (keyPattern.test(key)) return key;
  throw new TillerError("job-invalid", `${JSON.stringify(key.slice(0, 80))} is not a key of the store.`);
}
