/**
 * What a guidance method is: all there is to know about it, as data and one function. The pipeline, the command line,
 * experiments, the server and Studio read it; `methods.ts` lists those there are.
 */
import type { Guidance } from "./guidance.ts";

/**
 * What a method is made for:
 * - "fine-tuning": an adapter or a base, for it compares two models; without, a warning;
 * - "learned token": a prompt with one; without, the request is refused;
 * - "ddim": that sampler; with another, a warning.
 */
export type Need = "fine-tuning" | "learned token" | "ddim";

interface Told<N extends string> {
  /** The request's field; the command line's option is the same in kebab case. Of one name there is one kind. */
  readonly name: N;
  /** What people read; one label is one quantity, comparable between methods. */
  readonly label: string;
  /** One line. */
  readonly help: string;
  /** In names of files and rows, before the value. */
  readonly short: string;
  /**
   * Names of files and rows tell a setting always, or where it varies (as recipes tell it always), or, like recipes, where it
   * is not its default: a setting that came to a method later, so that what was made before keeps its recipe.
   */
  readonly told: "in names" | "in recipes" | "when changed";
  /** A model, or what trained its adapter, may set another default. */
  readonly ofModel?: boolean;
}

/** A setting that is a number. */
export interface NumberSetting<N extends string = string> extends Told<N> {
  /** Tells the kinds of settings apart. */
  readonly kind: "number";
  /** What it is where a request leaves it open. */
  readonly default: number;
  /** The smallest that is allowed. The same for all methods with a setting of this name, as the largest is. */
  readonly least?: number;
  /** The largest that is allowed. */
  readonly most?: number;
  /** Whole numbers alone. */
  readonly whole?: true;
  /** What lies outside is doubted: a warning, and in experiments a refusal. */
  readonly usual?: { readonly from: number; readonly to: number; readonly is: string };
}

/** A setting that is one of several words. */
export interface ChoiceSetting<N extends string = string, C extends string = string> extends Told<N> {
  /** Tells the kinds of settings apart. */
  readonly kind: "choice";
  /** The words. */
  readonly choices: readonly C[];
  /** What it is where a request leaves it open. */
  readonly default: C;
}

/** A setting of a guidance method. */
export type Setting = NumberSetting | ChoiceSetting;

export type SettingValue<S extends Setting> = S extends { readonly choices: readonly (infer C)[] } ? C : number;

/** A value for each of the settings. */
export type Values<S extends Setting> = { readonly [One in S as One["name"]]: SettingValue<One> };

export interface Method<N extends string = string, S extends Setting = Setting> {
  /** As users type it. */
  readonly name: N;
  /** What people read. */
  readonly label: string;
  /** One line. */
  readonly help: string;
  /** Its settings. */
  readonly settings: readonly S[];
  /** What it is made for. */
  readonly needs: readonly Need[];
  /** The method that experiments compare it with. */
  readonly baseline?: string;
  /** The settings at which it is that method exactly. */
  readonly isBaselineAt?: { readonly [One in S as One["name"]]?: SettingValue<One> };
  /** Why all its rows are needed at every step, where fewer evaluations (`evaluation` in settings.ts) are not among its settings. */
  readonly everyStep?: string;
  guide(values: Values<S>): Guidance;
}

/** A method, its types taken from what is written. */
export const method = <const N extends string, const S extends readonly Setting[]>(
  one: Method<N, S[number]> & { readonly settings: S },
): Method<N, S[number]> => one;
