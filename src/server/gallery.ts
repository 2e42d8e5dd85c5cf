/** All pictures with their recipes, newest first. */

import { readdir, rm, stat } from "node:fs/promises";
import { z } from "zod";
import { readPicture, recipeSchema } from "../index.ts";
import { exists } from "../internal.ts";
import type { DataFolder } from "./data-folder.ts";

export const galleryPictureSchema = z.object({
  /** Its id. */
  id: z.string(),
  /** Pixels. */
  width: z.number(),
  /** Pixels. */
  height: z.number(),
  /** Milliseconds since 1970. */
  made: z.number(),
  /** Its recipe, without the server's paths. */
  recipe: recipeSchema.optional(),
});

export type GalleryPicture = z.output<typeof galleryPictureSchema>;

/** A page of the gallery, and the total. */
export async function galleryPage(
  data: DataFolder,
  { from, count }: { from: number; count: number },
): Promise<{ pictures: GalleryPicture[]; total: number }> {
  const ids = (await readdir(data.pictures))
    .filter((name) => name.endsWith(".png") && !name.startsWith("."))
    .map((name) => name.slice(0, -4))
    .sort(newestFirst);
  // A picture that is damaged or was just deleted does not hide the others.
  const pictures = await Promise.all(
    ids.slice(from, from + count).map((id) => galleryPicture(data, id).catch(() => undefined)),
  );
  return { pictures: pictures.filter((picture) => picture !== undefined), total: ids.length };
}

/** A job's id begins with the time, compared as text; after its last dash comes the picture's number. */
export function newestFirst(a: string, b: string): number {
  const [[jobA, numberA], [jobB, numberB]] = [a, b].map((id) => {
    const dash = id.lastIndexOf("-");
    return [id.slice(0, dash), Number(id.slice(dash + 1))] as const;
  }) as [readonly [string, number], readonly [string, number]];
  return jobA === jobB ? numberB - numberA : jobA < jobB ? 1 : -1;
}

export async function galleryPicture(data: DataFolder, id: string): Promise<GalleryPicture | undefined> {
  const file = data.picture(id);
  if (!(await exists(file))) return undefined;
  const { width, height, recipe } = await readPicture(file);
  return { id, width, height, recipe, made: (await stat(file)).mtimeMs };
}

export const deletePicture = (data: DataFolder, id: string): Promise<void> => rm(data.picture(id), { force: true });
