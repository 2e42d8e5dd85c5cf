/** A scene: its prompts, and what is drawn behind and in front of the subject. */
import type { Random } from "../random.ts";

export interface Setting {
  /** Fills the picture, 128 x 128. */
  readonly behind: string;
  /** Drawn over the subject: grass at its feet, water around it. */
  readonly before?: string | undefined;
  /** The y position where the subject stands. */
  readonly ground: number;
  /** Scale of the subject: a barn on a mirror is small. */
  readonly scale?: number | undefined;
  /** Whether the subject casts a shadow: not on water and mirrors. */
  readonly shadow?: boolean | undefined;
  /** Opacity of a mirror image below, if any. */
  readonly mirrored?: number | undefined;
}

export interface Scene {
  /** The evaluation prompt, {s} for the subject. */
  readonly prompt: string;
  /** Paraphrases of the prompt. */
  readonly paraphrases: readonly string[];
  readonly draw: (random: Random) => Setting;
}
