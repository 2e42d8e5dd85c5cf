/** Blind preference studies: which arm's pictures are closest to the subject, and to the text. */

import { readdir } from "node:fs/promises";
import { z } from "zod";
import { TillerError } from "../index.ts";
import { exists, readJson, writeWhole } from "../internal.ts";
import type { DataFolder } from "./data-folder.ts";
import { newId } from "./ids.ts";
import type { Job } from "./jobs.ts";

const choice = z.number().int().min(0).nullable();

export const studyRequestSchema = z.strictObject({
  /** What it is called. */
  title: z.string().min(1).max(300),
  /** A finished job with `seeds` pictures of each arm, one arm after the other. */
  job: z.string(),
  /** What is compared, by name. */
  arms: z.array(z.string().min(1).max(60)).min(2).max(64),
  /** Pictures of each arm. */
  seeds: z.number().int().min(1).max(64),
  /** An upload with pictures of the subject. */
  references: z.string().optional(),
});

export const answersSchema = z.strictObject({
  /** The participant: any name, the same each time. */
  person: z.string().min(1).max(60),
  /** The arm chosen for each set, or null for undecided. */
  answers: z.array(z.strictObject({ set: z.number().int().min(0), subject: choice, text: choice })).max(64),
});

export const studySchema = z.object({
  /** Its id. */
  id: z.string(),
  /** What it is called. */
  title: z.string(),
  /** What is compared, by name. */
  arms: z.array(z.string()),
  /** The arms' pictures for each seed. */
  sets: z.array(z.object({ prompt: z.string(), pictures: z.array(z.string()) })),
  /** URLs of pictures of the subject. */
  references: z.array(z.string()),
  people: z.array(answersSchema).default([]),
});

export const studySummarySchema = z.object({
  /** Its id. */
  id: z.string(),
  /** What it is called. */
  title: z.string(),
  /** How many took part. */
  people: z.number(),
});

export type Study = z.output<typeof studySchema>;

export async function makeStudy(
  request: z.output<typeof studyRequestSchema>,
  job: Job,
  data: DataFolder,
): Promise<Study> {
  const { title, arms, seeds, references } = request;
  if (job.request.kind !== "pictures" || job.pictures.length !== arms.length * seeds) {
    throw new TillerError("study-mismatch", "the job's pictures do not match these arms and seeds.");
  }
  for (const id of job.pictures) {
    if (!(await exists(data.picture(id))))
      throw new TillerError("pictures-gone", "a picture of this comparison was deleted: draw it again.");
  }
  const { prompt } = job.request.request;
  const folder = references === undefined ? undefined : data.upload(references);
  const names =
    folder && (await exists(folder)) ? (await readdir(folder)).filter((n) => n.endsWith(".png")).sort() : [];
  const study: Study = {
    id: newId(),
    title,
    arms: [...arms],
    sets: Array.from({ length: seeds }, (_, seed) => ({
      prompt,
      pictures: arms.map((_, arm) => job.pictures[arm * seeds + seed]!),
    })),
    references: names.map((name) => `/api/uploads/${references}/${name}`),
    people: [],
  };
  await keep(study, data);
  return study;
}

export async function readStudy(id: string, data: DataFolder): Promise<Study | undefined> {
  const file = data.study(id);
  return (await exists(file)) ? readJson(file, studySchema, 1 << 30) : undefined;
}

/** A study that uses a picture, if any. */
export async function studyWith(picture: string, data: DataFolder): Promise<Study | undefined> {
  for (const { id } of await listStudies(data)) {
    const study = await readStudy(id, data);
    if (study?.sets.some(({ pictures }) => pictures.includes(picture))) return study;
  }
  return undefined;
}

export async function listStudies(data: DataFolder): Promise<{ id: string; title: string; people: number }[]> {
  const ids = (await readdir(data.studies))
    .filter((name) => /^[\w-]+\.json$/.test(name))
    .map((name) => name.slice(0, -5));
  const studies: { id: string; title: string; people: number }[] = [];
  for (const id of ids.sort().reverse()) {
    // A damaged study does not hide the others, and a user's copy does not count as another.
    const study = await readStudy(id, data).catch(() => undefined);
    if (study?.id === id) studies.push({ id, title: study.title, people: study.people.length });
  }
  return studies;
}

/** Answers are added one at a time, so that none is lost. */
let turn: Promise<unknown> = Promise.resolve();

/**
 * Records a person's answers, replacing earlier ones.
 *
 * @throws TillerError if an answer names an unknown set or arm, or a set is answered twice.
 */
export function takeAnswers(
  id: string,
  given: z.output<typeof answersSchema>,
  data: DataFolder,
): Promise<Study | undefined> {
  const taken = turn.then(() => addAnswers(id, given, data));
  turn = taken.catch(() => {});
  return taken;
}

async function addAnswers(
  id: string,
  given: z.output<typeof answersSchema>,
  data: DataFolder,
): Promise<Study | undefined> {
  const study = await readStudy(id, data);
  if (!study) return undefined;
  for (const { set, subject, text } of given.answers) {
    const wrong = [subject, text].some((arm) => arm !== null && arm >= study.arms.length);
    if (set >= study.sets.length || wrong)
      throw new TillerError("study-mismatch", "an answer is about a picture that the study does not have.");
  }
  if (new Set(given.answers.map(({ set }) => set)).size < given.answers.length)
    throw new TillerError("study-mismatch", "a set is answered more than once: answer each once.");
  const people = [...study.people.filter(({ person }) => person !== given.person), given];
  const taken = { ...study, people };
  await keep(taken, data);
  return taken;
}

const keep = (study: Study, data: DataFolder) => writeWhole(data.study(study.id), `${JSON.stringify(study)}\n`);

const shareSchema = z.object({
  /** The arm, or "undecided". */
  arm: z.string(),
  /** 0 to 1, averaged over people. */
  share: z.number(),
  /** Lower bound of Wilson's 95 % interval, counting every answer. */
  low: z.number(),
  /** Upper bound. */
  high: z.number(),
});

export type Share = z.output<typeof shareSchema>;

export const sharesSchema = z.object({
  /** How many took part. */
  people: z.number(),
  /** Number of answers of all of them. */
  answers: z.number(),
  /** Each arm's share for each question; undecided comes last. */
  questions: z.object({ subject: z.array(shareSchema), text: z.array(shareSchema) }),
});

/** Each arm's share of the answers; undecided comes last. */
export function sharesOf({ arms, people }: Pick<Study, "arms" | "people">): z.output<typeof sharesSchema> {
  const answers = people.reduce((sum, person) => sum + person.answers.length, 0);
  const of = (question: "subject" | "text"): Share[] =>
    [...arms, "undecided"].map((arm, i) => {
      const chosen = i < arms.length ? i : null;
      const counts = people.map((person) => ({
        for: person.answers.filter((one) => one[question] === chosen).length,
        all: person.answers.length,
      }));
      const told = counts.filter(({ all }) => all > 0);
      const share = told.reduce((sum, c) => sum + c.for / c.all, 0) / Math.max(1, told.length);
      return {
        arm,
        share,
        ...wilson(
          counts.reduce((sum, c) => sum + c.for, 0),
          answers,
        ),
      };
    });
  return { people: people.length, answers, questions: { subject: of("subject"), text: of("text") } };
}

export function wilson(successes: number, trials: number): { low: number; high: number } {
  if (trials === 0) return { low: 0, high: 1 };
  const z = 1.959964;
  const share = successes / trials;
  const centre = share + (z * z) / (2 * trials);
  const reach = z * Math.sqrt((share * (1 - share) + (z * z) / (4 * trials)) / trials);
  const scale = 1 + (z * z) / trials;
  return { low: Math.max(0, (centre - reach) / scale), high: Math.min(1, (centre + reach) / scale) };
}

/** The answers as CSV. */
export function csvOf({ arms, people }: Study): string {
  const name = (arm: number | null) => (arm === null ? "undecided" : arms[arm]!);
  const cell = (text: string) => `"${text.replaceAll('"', '""').replace(/^([=+@-])/, "'$1")}"`;
  const lines = people.flatMap(({ person, answers }) =>
    answers.map(({ set, subject, text }) => [person, String(set), name(subject), name(text)].map(cell).join(",")),
  );
  return `${["person,set,subject,text", ...lines].join("\r\n")}\r\n`;
}
