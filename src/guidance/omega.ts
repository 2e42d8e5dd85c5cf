/**
 * Omega as requests have it: a number, or a text for one that changes over the steps, that differs between parts of the model, or
 * both. The text is the same in the library, on the command line, in experiments and in recipes.
 */
import { stepsBefore } from "../rounding.ts";
import type { Guidance } from "./guidance.ts";
import type { Share } from "./share.ts";

/**
 * Omega, the share of the fine-tuned model in the weak model:
 *
 * - a number, usually 0 to 1: `0.6`;
 * - one that changes from the first step drawn to the last: `"linear:0.2..0.8"`, `"cosine:0.2..0.8"` (half a cosine: slowly, fast,
 *   slowly), or `"step:0.2..0.8@0.3"`, the second number from that fraction of the steps on (above 0 and below 1; 0.5 without it);
 *   `"constant:0.6"` is 0.6;
 * - one by part, such as `"down=0,mid=0.6,up=1"` or `"unet=0.6,text_encoder=1"`. Parts are the model's components by the names of
 *   their folders; in a U-Net the blocks `down`, `mid` and `up`, and each of them, such as `up.1`; in SANA's transformer the thirds
 *   `early`, `middle` and `late`. The smallest named part counts. What is in none has 1, as in the fine-tuned model, or a number
 *   that comes first: `"0.6,up=1"`. Each may change over the steps: `"0.6,up=linear:0..1"`.
 *
 * Numbers beyond 0 to 1 are allowed, with a warning. Any other text is refused with `setting-invalid`, and so are parts that the model does
 * not have, and parts with methods that mix predictions (output-interpolation).
 *
 * @useDeclaredType
 */
export type Omega =
  | number
  | `constant:${number}`
  | `${"linear" | "cosine" | "step"}:${number}..${number}`
  | `step:${number}..${number}@${number}`
  | `${string}=${string}`;

/** A number, or one that changes over the steps. */
type Level =
  | number
  | { readonly form: "linear" | "cosine" | "step"; readonly from: number; readonly to: number; readonly at: number };

/** What an omega says. */
interface OmegaPlan {
  readonly parts: Readonly<Record<string, Level>>;
  readonly rest: Level;
}

/** Forms of omega, for messages. */
export const omegaForms =
  "a number, linear:0.2..0.8, cosine:0.2..0.8, step:0.2..0.8@0.5, or parts such as down=0,mid=0.6,up=1";

const number = String.raw`[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?`;
const alone = new RegExp(`^${number}$`);
const constant = new RegExp(`^(?:constant:)?(${number})$`);
const course = new RegExp(`^(?:(linear|cosine)|step):(${number})\\.\\.(${number})(?:@(${number}))?$`);
const part = /^(\w+(?:\.\d+)?)=(.*)$/;

/** Whether a text is an omega. */
export const isOmega = (text: string): text is Exclude<Omega, number> =>
  planOf(text) !== undefined && !alone.test(text);

/** Undefined if it is none. */
function planOf(omega: Omega | string): OmegaPlan | undefined {
  if (typeof omega === "number") return { parts: {}, rest: omega };
  const [first = "", ...others] = omega.split(",");
  const named = part.test(first) ? [first, ...others] : others;
  const rest = part.test(first) ? 1 : levelOf(first);
  const parts = named.map((text) => {
    const [, name, level = ""] = part.exec(text) ?? [];
    return [name, levelOf(level)] as const;
  });
  const isClear = parts.every(([name, level]) => name !== undefined && level !== undefined);
  const isUnique = new Set(parts.map(([name]) => name)).size === parts.length;
  if (rest === undefined || !isClear || !isUnique) return undefined;
  return { parts: Object.fromEntries(parts) as OmegaPlan["parts"], rest };
}

function levelOf(text: string): Level | undefined {
  const [, value] = constant.exec(text) ?? [];
  if (value !== undefined) return finite(Number(value));
  const [matched, form = "step", from, to, at] = course.exec(text) ?? [];
  if (matched === undefined) return undefined;
  const level = {
    form: form as "linear" | "cosine" | "step",
    from: Number(from),
    to: Number(to),
    at: Number(at ?? 0.5),
  };
  const isRight = [level.from, level.to].every(Number.isFinite) && level.at > 0 && level.at < 1;
  return isRight && (at === undefined || form === "step") ? level : undefined;
}

const finite = (value: number): number | undefined => (Number.isFinite(value) ? value : undefined);

/** @throws RangeError if it is no omega, which requests are checked for. */
function planned(omega: Omega): OmegaPlan {
  const plan = planOf(omega);
  if (!plan) throw new RangeError(`${omega} is no omega: it is ${omegaForms}`);
  return plan;
}

const levelsOf = ({ parts, rest }: OmegaPlan): Level[] => [...Object.values(parts), rest];

/** All numbers that omega takes. */
export const omegasIn = (omega: Omega): readonly number[] =>
  levelsOf(planned(omega)).flatMap((level) => (typeof level === "number" ? [level] : [level.from, level.to]));

/** The parts that omega names. */
export const partsIn = (omega: Omega): readonly string[] => Object.keys(planned(omega).parts);

/** The number at a step, counted from 0, of `steps`. At the ends it is exactly the ends' numbers. */
function levelAt(level: Level, step: number, steps: number): number {
  if (typeof level === "number") return level;
  const { form, from, to, at } = level;
  if (form === "step") return step < stepsBefore(at, steps) ? from : to;
  if (from === to) return from;
  const done = steps > 1 ? step / (steps - 1) : 0;
  const by = form === "linear" ? done : (1 - Math.cos(Math.PI * done)) / 2;
  return (1 - by) * from + by * to;
}

/** The share at a step: one number if all parts have it. */
function shareOf({ parts, rest }: OmegaPlan, step: number, steps: number): Share {
  const whole = levelAt(rest, step, steps);
  const own = Object.entries(parts).map(([name, level]) => [name, levelAt(level, step, steps)] as const);
  return own.every(([, share]) => share === whole) ? whole : { parts: Object.fromEntries(own), rest: whole };
}

/** Guidance at an omega, by guidance at a share. */
export function atOmega(omega: Omega, at: (share: Share) => Guidance): Guidance {
  const plan = planned(omega);
  if (levelsOf(plan).every((level) => typeof level === "number")) return at(shareOf(plan, 0, 1));
  const now = (step: number, steps: number) => at(shareOf(plan, step, steps));
  return {
    rows: now(0, 1).rows,
    rowsAt: (step, steps) => now(step, steps).rows,
    coefficients: (step, steps) => now(step, steps).coefficients(step, steps),
  };
}
