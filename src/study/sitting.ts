/** A participant's way through a study: what is shown, which answers are kept, and the end. */
import { join } from "node:path";
import { TillerError } from "../errors/index.ts";
import { type Shown, shownTo } from "./order.ts";
import {
  isWhole,
  type Participant,
  type Question,
  questions,
  readParticipant,
  writeParticipant,
} from "./participants.ts";
import { picturesFolderOf, readStudy, undecided } from "./study.ts";

/** What a participant may know of a set: nothing of methods, settings, seeds or files. */
export interface Page {
  /** Counted from 1. */
  readonly position: number;
  readonly text: string;
  /** How many pictures of the subject there are. */
  readonly references: number;
  /** The pictures' letters. */
  readonly letters: readonly string[];
  /** Letters or "undecided", of the questions that are answered. */
  readonly chosen: Readonly<Partial<Record<Question, string>>>;
}

/** Where a participant is. */
export interface Progress {
  readonly title: string;
  /** How many sets there are. */
  readonly sets: number;
  /** How many of them are answered. */
  readonly answered: number;
  /** The first set that is not; undefined if none. */
  readonly next: number | undefined;
  readonly ended: boolean;
}

/** Every method takes a code, and throws the TillerError `participant-unknown` if it is nobody's. */
export interface Sittings {
  progress(code: string): Promise<Progress>;
  /** @throws TillerError if there is no set at the position. */
  page(code: string, position: number): Promise<Page>;
  /**
   * The file of a picture: a letter, or `subject-1`.
   *
   * @throws TillerError if there is no such set or picture.
   */
  picture(code: string, position: number, name: string): Promise<string>;
  /**
   * Keeps answers to one or both questions, in place of earlier ones, and returns whether both are now answered.
   *
   * @throws TillerError if there is no such set or picture, or the participant has finished.
   */
  answer(code: string, position: number, given: Readonly<Partial<Record<Question, string>>>): Promise<boolean>;
  /**
   * Ends the participant's part.
   *
   * @throws TillerError naming a set that is not answered.
   */
  end(code: string): Promise<void>;
}

const letterOf = (place: number): string => String.fromCharCode("a".charCodeAt(0) + place);

/**
 * Opens a study for its participants. Answers of one participant are written one after the other, so that none is lost.
 *
 * @throws TillerError if the folder has no study.
 */
export async function openSittings(folder: string): Promise<Sittings> {
  const study = await readStudy(folder);
  const { sets, settings, title } = study;
  const turns = new Map<string, Promise<unknown>>();

  async function sittingOf(code: string) {
    const participant = await readParticipant(folder, code);
    if (!participant) throw unknownParticipant();
    return { participant, shown: shownTo(study, participant.number) };
  }
  const at = (shown: readonly Shown[], position: number): Shown => {
    const found = shown[position - 1];
    if (found) return found;
    throw new TillerError("study-set-unknown", `There is no set ${position}: the study has sets 1 to ${sets.length}.`);
  };
  const methodsOf = ({ set }: Shown) => settings[sets[set]!.setting]!.methods;

  /** The answer's method, or null for undecided. */
  function methodAt(shown: Shown, given: string): string | null {
    if (given === undecided) return null;
    const place = shown.places.findIndex((_, i) => letterOf(i) === given);
    if (place >= 0) return methodsOf(shown)[shown.places[place]!]!;
    const last = letterOf(shown.places.length - 1);
    throw new TillerError(
      "study-answer-invalid",
      `${JSON.stringify(given.slice(0, 20))} is no picture of this set: choose a to ${last}, or ${undecided}.`,
    );
  }

  function givenAt(shown: Shown, method: string | null): string {
    if (method === null) return undecided;
    return letterOf(shown.places.findIndex((number) => methodsOf(shown)[number] === method));
  }

  /** Changes a participant's file after all earlier changes of it. */
  function change<T>(code: string, how: (participant: Participant, shown: readonly Shown[]) => [Participant, T]) {
    const turn = (turns.get(code) ?? Promise.resolve()).then(async () => {
      const { participant, shown } = await sittingOf(code);
      const [changed, told] = how(participant, shown);
      await writeParticipant(folder, code, changed);
      return told;
    });
    const settled = turn.catch(() => {});
    turns.set(code, settled);
    settled.then(() => turns.get(code) === settled && turns.delete(code));
    return turn;
  }

  const unanswered = ({ answers }: Participant, shown: readonly Shown[]): number | undefined => {
    const found = shown.findIndex(({ set }) => !isWhole(answers[set]));
    return found < 0 ? undefined : found + 1;
  };

  return {
    async progress(code) {
      const { participant, shown } = await sittingOf(code);
      const answered = shown.filter(({ set }) => isWhole(participant.answers[set])).length;
      const next = unanswered(participant, shown);
      return { title, sets: sets.length, answered, next, ended: participant.ended !== undefined };
    },
    async page(code, position) {
      const { participant, shown } = await sittingOf(code);
      const one = at(shown, position);
      const { text, references } = sets[one.set]!;
      const answer = participant.answers[one.set];
      const chosen = Object.fromEntries(
        questions.flatMap((question) => {
          const method = answer?.[question];
          return method === undefined ? [] : [[question, givenAt(one, method)]];
        }),
      );
      return { position, text, references: references.length, letters: one.places.map((_, i) => letterOf(i)), chosen };
    },
    async picture(code, position, name) {
      const { shown } = await sittingOf(code);
      const one = at(shown, position);
      const { pictures, references } = sets[one.set]!;
      const own = new Map([
        ...one.places.map((method, place) => [letterOf(place), pictures[method]!] as const),
        ...references.map((file, i) => [`subject-${i + 1}`, file] as const),
      ]);
      const file = own.get(name);
      if (file !== undefined) return join(picturesFolderOf(folder), file);
      throw new TillerError("study-set-unknown", `Set ${position} has no picture of this name: reload its page.`);
    },
    answer: (code, position, given) =>
      change(code, (participant, shown) => {
        const one = at(shown, position);
        if (participant.ended !== undefined)
          throw new TillerError("study-ended", "You have finished, so your answers can no longer be changed.");
        const named = Object.entries(given).map(([question, letter]) => [question, methodAt(one, letter)]);
        const answer = { ...participant.answers[one.set], ...Object.fromEntries(named), at: new Date().toISOString() };
        return [{ ...participant, answers: { ...participant.answers, [one.set]: answer } }, isWhole(answer)];
      }),
    end: (code) =>
      change(code, (participant, shown) => {
        const missing = unanswered(participant, shown);
        if (missing !== undefined)
          throw new TillerError("study-unfinished", `Set ${missing} is not answered yet: answer it, then finish.`);
        return [{ ...participant, ended: participant.ended ?? new Date().toISOString() }, undefined];
      }),
  };
}

export const unknownParticipant = (): TillerError =>
  new TillerError(
    "participant-unknown",
    "This is no participant's address: open the whole address as it was given to you.",
  );
