/** A study on disk: `study.json` says which method made each picture; participants are never sent it. */
import { join } from "node:path";
import { z } from "zod";
import { exists } from "#bytes";
import { readJson } from "../bytes/json-file.ts";
import { TillerError } from "../errors/index.ts";

/** The answer that names no picture. */
export const undecided = "undecided";

const settingSchema = z.object({
  /** What it is called in the results. */
  name: z.string(),
  /** The methods that are compared, by name. */
  methods: z.array(z.string()),
  /** The paper's setting with the same model, fine-tuning and methods, and what the paper calls each method. */
  paper: z.object({ setting: z.string(), choices: z.array(z.string()) }).optional(),
});

/** A name within the study's own pictures, nowhere else. */
const picture = z.string().regex(/^\d+\.png$/);

const setSchema = z.object({
  /** The number of its setting. */
  setting: z.number().int().nonnegative(),
  /** The subject's name. */
  subject: z.string(),
  /** The prompt in plain words, without the subject's token. */
  text: z.string(),
  /** What all its pictures were drawn from, if known. */
  seed: z.number().optional(),
  /** A picture of each method, in the setting's order. */
  pictures: z.array(picture),
  /** Pictures of the subject. */
  references: z.array(picture),
});

export const studySchema = z
  .object({
    tiller: z.string(),
    /** The heading that participants see. */
    title: z.string(),
    /** What participants' orders are drawn from. */
    seed: z.number(),
    settings: z.array(settingSchema).min(1),
    sets: z.array(setSchema).min(1),
  })
  .refine(
    ({ settings, sets }) =>
      sets.every(({ setting, pictures }) => settings[setting]?.methods.length === pictures.length),
    "a set does not have a picture for each method",
  );

export type Setting = z.output<typeof settingSchema>;
export type StudySet = z.output<typeof setSchema>;
export type Study = z.output<typeof studySchema>;

export const studyFileOf = (folder: string): string => join(folder, "study.json");
export const picturesFolderOf = (folder: string): string => join(folder, "pictures");
export const answersFolderOf = (folder: string): string => join(folder, "answers");

/** Whether a folder has a study; one that is still being made has none. */
export const holdsStudy = (folder: string): Promise<boolean> => exists(studyFileOf(folder));

/** @throws TillerError if the folder has no study, or its file is damaged. */
export async function readStudy(folder: string): Promise<Study> {
  if (await holdsStudy(folder)) return readJson(studyFileOf(folder), studySchema, 1 << 28);
  throw new TillerError("study-missing", `${folder} has no study.json: tiller study make writes one.`, {
    paths: [folder],
  });
}
