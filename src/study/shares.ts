/**
 * Which share of the answers each method got, as the paper has it: for every participant the share of the sets of a setting, then the
 * mean over participants. A participant's answers resemble each other, so participants are the clusters: the standard error is that of
 * their shares, and the interval Wilson's with the number of independent answers that has this error (Korn and Graubard, Survey
 * Methodology 24, 1998) and Student's quantile. On simulated participants it holds the true share in 89 to 98 %, where percentiles of a
 * bootstrap over participants hold it in 58 to 94 %: they fail for the small shares that such studies have.
 */
import { estimate } from "../experiments/crossed.ts";
import { paperStudy } from "../experiments/paper-tables.ts";
import { studentQuantile } from "../experiments/student.ts";
import { countsOf, isWhole, type Participant, type ParticipantCounts, type Question, stateOf } from "./participants.ts";
import { type Setting, type Study, undecided } from "./study.ts";

/** The share of one answer. */
export interface Share {
  /** The method, or "undecided". */
  readonly choice: string;
  /** 0 to 1: the mean over participants; NaN, in files null, if there are none. */
  readonly share: number;
  /** Lower bound of the 95 % interval; NaN likewise, also of a single participant. */
  readonly low: number;
  /** Upper bound. */
  readonly high: number;
  /** The paper's, 0 to 1, where it has the same setting. */
  readonly published?: number | undefined;
}

/** The shares of a setting; undecided comes last. */
export interface SettingShares {
  readonly setting: string;
  /** How many sets it has. */
  readonly sets: number;
  readonly subject: readonly Share[];
  readonly text: readonly Share[];
}

export interface StudyShares {
  readonly title: string;
  /** Only the finished count. */
  readonly participants: ParticipantCounts;
  readonly settings: readonly SettingShares[];
}

/** The shares of those who have finished. */
export function sharesOf(study: Study, participants: readonly Participant[]): StudyShares {
  const finished = participants.filter((one) => stateOf(one) === "finished");
  return {
    title: study.title,
    participants: countsOf(participants),
    settings: study.settings.map((setting, i): SettingShares => {
      const sets = [...study.sets.keys()].filter((set) => study.sets[set]!.setting === i);
      const of = (question: Question) => sharesBy(question, setting, sets, finished);
      return { setting: setting.name, sets: sets.length, subject: of("subject"), text: of("text") };
    }),
  };
}

function sharesBy(
  question: Question,
  { methods, paper }: Setting,
  sets: readonly number[],
  finished: readonly Participant[],
): Share[] {
  return [...methods.keys(), methods.length].map((i): Share => {
    const method = methods[i] ?? null;
    const values = finished.map(({ answers }) => {
      const whole = sets.map((set) => answers[set]).filter(isWhole);
      return whole.filter((answer) => answer![question] === method).length / whole.length;
    });
    const theirs =
      paper &&
      paperStudy.find((row) => row.setting === paper.setting && row.choice === (paper.choices[i] ?? undecided));
    return {
      choice: method ?? undecided,
      ...shareInterval(values, sets.length),
      published: theirs && theirs[question] / 100,
    };
  });
}

/** The mean of participants' shares with its interval; each is of so many answers. */
export function shareInterval(
  shares: readonly number[],
  answers: number,
): { share: number; low: number; high: number } {
  if (shares.length === 0) return { share: Number.NaN, low: Number.NaN, high: Number.NaN };
  const { mean, error } = estimate(shares.map((value, i) => ({ concept: String(i), prompt: "", value })));
  if (Number.isNaN(error)) return { share: mean, low: error, high: error };
  // Rounding may put the mean of ones a little above 1.
  const share = Math.min(1, Math.max(0, mean));
  const spread = share * (1 - share);
  // Where all have the same share but for rounding, each counts once; there are never more independent answers than answers.
  const independent = error > 1e-9 ? Math.min(shares.length * answers, spread / error ** 2) : shares.length;
  const square = studentQuantile(0.025, shares.length - 1) ** 2;
  const centre = (share + square / (2 * independent)) / (1 + square / independent);
  const reach =
    Math.sqrt(square * (spread / independent + square / (4 * independent ** 2))) / (1 + square / independent);
  return { share, low: Math.max(0, centre - reach), high: Math.min(1, centre + reach) };
}
