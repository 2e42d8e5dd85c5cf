/** What a scene of the world is: words for it, and what is drawn behind and before the subject. */
import type { Random } from "../random.ts";

export interface Setting {
  /** Fills the picture, 128 x 128. */
  readonly behind: string;
  /** Over the subject: grass at its feet, water around it. */
  readonly before?: string | undefined;
  /** Where the subject stands. */
  readonly ground: number;
  /** Share of its usual size: a barn on a mirror is small. */
  readonly scale?: number | undefined;
  /** The subject's shadow: none on water and mirrors. */
  readonly shadow?: boolean | undefined;
  /** A mirror image below, and its opacity. */
  readonly mirrored?: number | undefined;
}

export interface Scene {
  /** The evaluation prompt, {s} for the subject. */
  readonly prompt: string;
  /** Other ways to say it, in the same grammar. */
  readonly paraphrases: readonly string[];
  readonly draw: (random: Random) => Setting;
}
