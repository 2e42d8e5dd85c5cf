/** The participants of a study: a file each, named by the code that is the participant's address. */
import { randomBytes } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { exists, makeFolder } from "#bytes";
import { readJson } from "../bytes/json-file.ts";
import { writeWhole } from "../bytes/write-whole.ts";
import { answersFolderOf, readStudy } from "./study.ts";

/** A method's name; null for undecided. */
const choice = z.string().nullable();

const answerSchema = z.object({
  /** Closest to the subject. */
  subject: choice.optional(),
  /** Closest to the text. */
  text: choice.optional(),
  /** When it was last changed. */
  at: z.string(),
});

const participantSchema = z.object({
  /** Counted from 1; what the participant's order is drawn with. */
  number: z.number().int().positive(),
  /** When the participant finished. */
  ended: z.string().optional(),
  /** By the number of the set. */
  answers: z.record(z.string().regex(/^\d+$/), answerSchema),
});

export type Answer = z.output<typeof answerSchema>;
export type Participant = z.output<typeof participantSchema>;

/** A participant with the code that is the address: whoever has it can answer. */
export interface Invited extends Participant {
  readonly code: string;
}

export const questions = ["subject", "text"] as const;
export type Question = (typeof questions)[number];

/** Whether both questions are answered. */
export const isWhole = (answer: Answer | undefined): boolean =>
  answer !== undefined && questions.every((question) => answer[question] !== undefined);

/** How far a participant is; only the finished count. */
export const participantStates = ["invited", "begun", "finished"] as const;
export type ParticipantState = (typeof participantStates)[number];

export function stateOf({ ended, answers }: Participant): ParticipantState {
  if (ended !== undefined) return "finished";
  return Object.keys(answers).length > 0 ? "begun" : "invited";
}

/** Everyone invited; those who have begun, among them those who have finished. */
export interface ParticipantCounts {
  readonly invited: number;
  readonly begun: number;
  readonly finished: number;
}

export function countsOf(participants: readonly Participant[]): ParticipantCounts {
  const states = participants.map(stateOf);
  const [begun, finished] = [states.filter((one) => one !== "invited"), states.filter((one) => one === "finished")];
  return { invited: participants.length, begun: begun.length, finished: finished.length };
}

/** Eighty random bits: an address that nobody guesses. Hexadecimal, because some disks take capitals for small letters. */
const newCode = (): string => randomBytes(10).toString("hex");
const codes = /^[0-9a-f]{20}$/;

const fileOf = (folder: string, code: string): string => join(answersFolderOf(folder), `${code}.json`);

/**
 * Invites more participants, and returns their codes.
 *
 * @throws TillerError if the folder has no study, or a file cannot be written.
 */
export async function invite(folder: string, count: number): Promise<string[]> {
  await readStudy(folder);
  await makeFolder(answersFolderOf(folder));
  const known = await participantsOf(folder);
  const last = Math.max(0, ...known.map(({ number }) => number));
  const invited = Array.from({ length: count }, newCode);
  for (const [i, code] of invited.entries())
    await writeParticipant(folder, code, { number: last + 1 + i, answers: {} });
  return invited;
}

/** Everyone invited, in order. */
export async function participantsOf(folder: string): Promise<Invited[]> {
  const answers = answersFolderOf(folder);
  if (!(await exists(answers))) return [];
  const found: Invited[] = [];
  for (const name of await readdir(answers)) {
    const code = name.replace(/\.json$/, "");
    const one = name.endsWith(".json") ? await readParticipant(folder, code) : undefined;
    if (one) found.push({ ...one, code });
  }
  return found.sort((a, b) => a.number - b.number);
}

/** The participant of a code, which may be any text; undefined if there is none. */
export async function readParticipant(folder: string, code: string): Promise<Participant | undefined> {
  if (!codes.test(code)) return undefined;
  const file = fileOf(folder, code);
  return (await exists(file)) ? readJson(file, participantSchema) : undefined;
}

export const writeParticipant = (folder: string, code: string, participant: Participant): Promise<void> =>
  writeWhole(fileOf(folder, code), `${JSON.stringify(participant)}\n`);
