/**
 * A guidance method's description, as data and one function, read by the pipeline, the command line, experiments, the server
 * and Studio. `methods.ts` lists them all.
 */
import type { Guidance } from "./guidance.ts";
import type { Omega } from "./omega.ts";

/**
 * What a method needs:
 * - "fine-tuning": an adapter or a base model, since it compares two models; a warning without;
 * - "style": a style in the request, apart from its prompt; a warning without;
 * - "learned token": a learned token in the prompt; refused without;
 * - "ddim": that sampler; a warning with another;
 * - "editing": a model that edits a picture; refused without.
 */
export type Need = "fine-tuning" | "style" | "learned token" | "ddim" | "editing";

interface Told<N extends string> {
  /** The request's field; the command line's option is the same in kebab case. Settings of the same name have the same kind. */
  readonly name: N;
  /** Display name. Settings with the same label are the same quantity, comparable between methods. */
  readonly label: string;
  /** One line. */
  readonly help: string;
  /** Prefix of the value in names of files and rows. */
  readonly short: string;
  /**
   * Where the setting is shown. "in names": always in names of files and rows. "in recipes": always in recipes, in names only
   * if it varies. "when changed": in both, only if it is not its default; for settings added later, so that recipes made
   * before stay the same.
   */
  readonly told: "in names" | "in recipes" | "when changed";
  /** The model, or its adapter's training method, may set another default. */
  readonly ofModel?: boolean;
}

/** A setting that is a number. */
export interface NumberSetting<N extends string = string> extends Told<N> {
  /** Tells the kinds of settings apart. */
  readonly kind: "number";
  /** Its value if a request leaves it out. */
  readonly default: number;
  /** Smallest allowed value. Like `most`, the same for all methods with a setting of this name. */
  readonly least?: number;
  /** Largest allowed value. */
  readonly most?: number;
  /** Whole numbers only. */
  readonly whole?: true;
  /** The usual range: a value outside it gives a warning, and in experiments an error. */
  readonly usual?: { readonly from: number; readonly to: number; readonly is: string };
}

/** A setting that is one of several choices. */
export interface ChoiceSetting<N extends string = string, C extends string = string> extends Told<N> {
  /** Tells the kinds of settings apart. */
  readonly kind: "choice";
  /** The choices. */
  readonly choices: readonly C[];
  /** Its value if a request leaves it out. */
  readonly default: C;
}

/** A setting that is an {@link Omega}: a number, or one that changes over the steps or between parts. */
export interface OmegaSetting<N extends string = string> extends Told<N> {
  /** Tells the kinds of settings apart. */
  readonly kind: "omega";
  /** Its value if a request leaves it out. */
  readonly default: number;
  /** The usual range: a value outside it gives a warning, and in experiments an error. */
  readonly usual: { readonly from: number; readonly to: number; readonly is: string };
  /** Why it cannot differ between parts of the model, as a phrase after "because"; absent if it can. */
  readonly whole?: string;
}

/** A setting of a guidance method. */
export type Setting = NumberSetting | ChoiceSetting | OmegaSetting;

export type SettingValue<S extends Setting> = S extends { readonly choices: readonly (infer C)[] }
  ? C
  : S extends { readonly kind: "omega" }
    ? Omega
    : number;

/** A value for each of the settings. */
export type Values<S extends Setting> = { readonly [One in S as One["name"]]: SettingValue<One> };

export interface Method<N extends string = string, S extends Setting = Setting> {
  /** As users type it. */
  readonly name: N;
  /** Display name. */
  readonly label: string;
  /** One line. */
  readonly help: string;
  /** Its settings. */
  readonly settings: readonly S[];
  /** What it needs. */
  readonly needs: readonly Need[];
  /** The method that experiments compare it with. */
  readonly baseline?: string;
  /** The settings at which it is exactly that method. */
  readonly isBaselineAt?: { readonly [One in S as One["name"]]?: SettingValue<One> };
  /** Why it needs all rows at every step, if its settings do not include fewer evaluations (`evaluation` in settings.ts). */
  readonly everyStep?: string;
  guide(values: Values<S>): Guidance;
}

/** A method, with its types inferred. */
export const method = <const N extends string, const S extends readonly Setting[]>(
  one: Method<N, S[number]> & { readonly settings: S },
): Method<N, S[number]> => one;
