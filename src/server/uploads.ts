/** Pictures that people bring: decoded, brought upright and to sRGB, and kept as PNG files of a sensible size. */

import { fork } from "node:child_process";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { TillerError } from "../index.ts";
import type { DataFolder } from "./data-folder.ts";
import { newId } from "./ids.ts";

/** Pictures of one upload, pixels of one picture, the side that larger ones are brought to, and milliseconds for all. */
const [mostPictures, mostPixels, largestSide, patience] = [30, 50_000_000, 1024, 60_000];

export interface Brought {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/**
 * Keeps an upload, whole or not at all.
 *
 * @throws TillerError if there are none or too many; or naming the first that cannot be read.
 */
export async function keepUpload(
  files: readonly Brought[],
  data: DataFolder,
): Promise<{ id: string; pictures: number }> {
  if (files.length === 0) throw new TillerError("upload-invalid", "no pictures came with the upload.");
  if (files.length > mostPictures)
    throw new TillerError("upload-invalid", `an upload holds at most ${mostPictures} pictures.`);
  const id = newId();
  const folder = join(data.uploads, `.${id}`);
  await mkdir(folder);
  try {
    await inTurn(() => decode(files, folder));
    await rename(folder, data.upload(id));
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
  return { id, pictures: files.length };
}

/** One upload is decoded at a time. */
let turn: Promise<unknown> = Promise.resolve();
function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const done = turn.then(work);
  turn = done.catch(() => {});
  return done;
}

/** The pictures as `00.png`, `01.png` and so on. */
async function decode(files: readonly Brought[], folder: string): Promise<void> {
  const jobs = files.map(({ name }, i) => {
    const number = String(i).padStart(2, "0");
    return { name: name.slice(0, 80), from: join(folder, `${number}.raw`), to: join(folder, `${number}.png`) };
  });
  for (const [i, { from }] of jobs.entries()) await writeFile(from, files[i]!.bytes);
  const { name, why } = await decoder({ files: jobs, mostPixels, largestSide });
  if (why !== undefined) {
    throw new TillerError(
      "picture-unreadable",
      `${name} cannot be read as a picture (${why}): save it again as JPEG or PNG.`,
    );
  }
  for (const { from } of jobs) await rm(from);
}

/** Has the other process do it, for as long as it may take. */
function decoder(work: object): Promise<{ name?: string; why?: string }> {
  const child = fork(fileURLToPath(new URL("./decode.js", import.meta.url)), { execArgv: [], stdio: "ignore" });
  return new Promise((done, fail) => {
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      fail(
        new TillerError(
          "picture-unreadable",
          "these pictures take too long to read: save them again as JPEG or PNG, smaller.",
        ),
      );
    }, patience);
    child.once("message", done);
    child.once("error", fail);
    child.once("exit", () => {
      clearTimeout(timer);
      fail(
        new TillerError("picture-unreadable", "one of these pictures cannot be read: save them again as JPEG or PNG."),
      );
    });
    child.send(work);
  });
}
