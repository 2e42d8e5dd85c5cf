/** Uploaded pictures: decoded, rotated upright, converted to sRGB, and stored as PNG files of a sensible size. */

import { fork } from "node:child_process";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { TillerError } from "../index.ts";
import { decodeBmp, encodePixels, firstFrames, hasMoreFrames, isBmp, refuseOtherKinds } from "../internal.ts";
import type { DataFolder } from "./data-folder.ts";
import { newId } from "./ids.ts";

const mostPictures = 30;

/** Limits per picture: pixels, known from its header before decoding, and processor seconds, which do not depend on load. */
const limits = { mostPixels: 50_000_000, mostSeconds: 60 };

/** Larger pictures are scaled down to this longer side. */
const largestSide = 1024;

/** Milliseconds without a message after which the decoder counts as hung: even a busy machine decodes a picture faster. */
const silence = 900_000;

export interface Brought {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** What it stands for, if it is not a picture or a mask whose white part is repainted; see decode.js. */
  readonly as?: "transparent mask" | "black mask" | undefined;
}

/**
 * Stores an upload atomically.
 *
 * @throws TillerError if there are no pictures or too many, or one cannot be read (the first is named).
 */
export async function keepUpload(
  files: readonly Brought[],
  data: DataFolder,
): Promise<{ id: string; pictures: number; warnings?: string[] }> {
  if (files.length === 0) throw new TillerError("upload-invalid", "the upload contains no pictures.");
  if (files.length > mostPictures)
    throw new TillerError("upload-invalid", `an upload holds at most ${mostPictures} pictures.`);
  const named = files.map((file) => ({ ...file, name: file.name.slice(0, 80) }));
  for (const { name, bytes } of named) refuseOtherKinds(name, bytes);
  const warnings = firstFrames(named.filter(({ bytes }) => hasMoreFrames(bytes)).map(({ name }) => name));
  const id = newId();
  const folder = join(data.uploads, `.${id}`);
  await mkdir(folder);
  try {
    await inTurn(() => decode(named, folder));
    await rename(folder, data.upload(id));
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
  return { id, pictures: files.length, ...(warnings.length > 0 && { warnings }) };
}

/** Stores each picture as an upload of its own for as long as `use` runs; the uploads' ids have the pictures' names. */
export async function withUploads<T>(
  pictures: Readonly<Record<string, Brought>>,
  data: DataFolder,
  use: (uploads: Readonly<Record<string, string>>) => Promise<T>,
): Promise<T> {
  const uploads: Record<string, string> = {};
  try {
    for (const [name, picture] of Object.entries(pictures)) uploads[name] = (await keepUpload([picture], data)).id;
    return await use(uploads);
  } finally {
    for (const id of Object.values(uploads)) await rm(data.upload(id), { recursive: true, force: true });
  }
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
  const jobs = files.map(({ name, as }, i) => {
    const number = String(i).padStart(2, "0");
    return { name, as, from: join(folder, `${number}.raw`), to: join(folder, `${number}.png`) };
  });
  for (const [i, { from, name }] of jobs.entries()) await writeFile(from, await withoutBmp(files[i]!.bytes, name));
  const { name, why } = await decoder({ files: jobs, ...limits, largestSide });
  if (why !== undefined) {
    const paths = jobs.flatMap(({ from, to }) => [from, to]);
    throw unreadable(name ?? "a picture", why, paths);
  }
  for (const { from } of jobs) await rm(from);
}

/** Converts a bitmap to PNG, since sharp cannot read it; other bytes stay as they are. */
async function withoutBmp(bytes: Uint8Array, name: string): Promise<Uint8Array> {
  if (!isBmp(bytes)) return bytes;
  try {
    return await encodePixels(decodeBmp(bytes, limits.mostPixels));
  } catch (error) {
    throw unreadable(name, (error as Error).message);
  }
}

const unreadable = (name: string, why: string, paths: readonly string[] = []): TillerError =>
  new TillerError("picture-unreadable", `${name} cannot be read as a picture (${why}): save it again as JPEG or PNG.`, {
    paths,
  });

/** Which picture was refused and why; neither if all were read. */
type Outcome = { readonly name?: string; readonly why?: string };

/** Starts the decoding process. */
function decoder(work: object): Promise<Outcome> {
  const child = fork(fileURLToPath(new URL("./decode.js", import.meta.url)), { execArgv: [], stdio: "ignore" });
  return new Promise((done, fail) => {
    const timer = setTimeout(() => child.kill("SIGKILL"), silence);
    let outcome: Outcome | undefined;
    child.on("message", (told: Outcome | "read") => {
      if (told === "read") timer.refresh();
      else outcome = told;
    });
    child.once("error", fail);
    // Only now: before, it may still be writing, and messages may be in transit.
    child.once("close", () => {
      clearTimeout(timer);
      if (outcome) return done(outcome);
      fail(
        new TillerError("picture-unreadable", "one of these pictures cannot be read: save them again as JPEG or PNG."),
      );
    });
    child.send(work);
  });
}
