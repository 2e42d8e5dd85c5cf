/** A study's answers as files: every answer with what was shown, but no participant's code. */
import { shownTo } from "./order.ts";
import { type Participant, questions, stateOf } from "./participants.ts";
import { type Share, type StudyShares, sharesOf } from "./shares.ts";
import { type Study, undecided } from "./study.ts";

/** One participant's answer to one question about one set. */
export interface AnswerRow {
  readonly participant: number;
  /** Whether the participant has finished: only then the answers count. */
  readonly finished: boolean;
  readonly setting: string;
  /** The set's number in the study. */
  readonly set: number;
  readonly subject: string;
  readonly prompt: string;
  readonly seed: number | undefined;
  /** When the participant saw it, counted from 1. */
  readonly position: number;
  readonly question: string;
  /** The method, or "undecided". */
  readonly answer: string;
  /** The methods from left to right, as the participant saw them. */
  readonly shown: readonly string[];
  /** When the set's answers were last changed. */
  readonly at: string;
}

/** All answers so far, by participant and position. */
export function answerRows(study: Study, participants: readonly Participant[]): AnswerRow[] {
  return participants.flatMap((participant) =>
    shownTo(study, participant.number).flatMap(({ set, places }, i) => {
      const answer = participant.answers[set];
      const { setting, subject, text, seed } = study.sets[set]!;
      const { name, methods } = study.settings[setting]!;
      return questions.flatMap((question): AnswerRow[] => {
        const method = answer?.[question];
        if (answer === undefined || method === undefined) return [];
        return [
          {
            participant: participant.number,
            finished: stateOf(participant) === "finished",
            setting: name,
            set,
            subject,
            prompt: text,
            seed,
            position: i + 1,
            question,
            answer: method ?? undecided,
            shown: places.map((place) => methods[place]!),
            at: answer.at,
          },
        ];
      });
    }),
  );
}

/** The answers as CSV, a line for each. */
export function answersCsv(rows: readonly AnswerRow[]): string {
  const heads = [
    ...["participant", "finished", "setting", "set", "subject", "prompt", "seed"],
    ...["position", "question", "answer", "shown", "at"],
  ];
  const lines = rows.map((row) => [
    ...[row.participant, row.finished, row.setting, row.set, row.subject, row.prompt, row.seed ?? ""],
    ...[row.position, row.question, row.answer, row.shown.join(" | "), row.at],
  ]);
  return csv([heads, ...lines]);
}

/** The shares as CSV, a line for each answer of each question, with empty cells where there is no number. */
export function sharesCsv({ settings }: StudyShares): string {
  const number = (value: number | undefined) => (value === undefined || Number.isNaN(value) ? "" : value.toFixed(4));
  const lines = settings.flatMap((setting) =>
    questions.flatMap((question) =>
      setting[question].map(({ choice, share, low, high, published }: Share) => [
        ...[setting.setting, question, choice],
        ...[share, low, high, published].map(number),
      ]),
    ),
  );
  return csv([["setting", "question", "answer", "share", "low", "high", "published"], ...lines]);
}

/** Everything as JSON: the study without its pictures' names, the answers and the shares. */
export function studyJson(study: Study, participants: readonly Participant[]): string {
  const { tiller, title, seed, settings, sets } = study;
  const told = {
    ...{ tiller, title, seed, settings },
    sets: sets.map(({ setting, subject, text, seed }, set) => ({ set, setting, subject, prompt: text, seed })),
    shares: sharesOf(study, participants),
    answers: answerRows(study, participants),
  };
  return `${JSON.stringify(told, null, 1)}\n`;
}

/** Cells are quoted; spreadsheets take those that begin with some signs for formulas. */
function csv(rows: readonly (readonly (string | number | boolean)[])[]): string {
  const cell = (value: string | number | boolean) =>
    typeof value === "string" ? `"${value.replaceAll('"', '""').replace(/^([=+@\t\r-])/, "'$1")}"` : String(value);
  return rows.map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}
