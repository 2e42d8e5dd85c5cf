/** Names and settings of all methods, and the values a request's settings resolve to. */

import { type Evaluations, type EvaluationValues, evaluationsOf } from "./evaluations.ts";
import type { Guidance } from "./guidance.ts";
import type { Method, Setting, SettingValue } from "./method.ts";
import { methods } from "./methods.ts";
import { type Omega, omegasIn, partsIn } from "./omega.ts";
import { evaluation, shared } from "./settings.ts";

export type { ChoiceSetting, Method, Need, NumberSetting, OmegaSetting, Setting } from "./method.ts";
export type { Omega } from "./omega.ts";
export { everyThird } from "./settings.ts";

type Listed = (typeof methods)[number];
type ListedSetting = Listed["settings"][number];

/**
 * Names of guidance methods, as in requests.
 *
 * @useDeclaredType
 */
export type GuidanceName = Listed["name"];
export type SettingName = ListedSetting["name"];

type ValueOf<N extends SettingName> = SettingValue<Extract<ListedSetting, { readonly name: N }>>;
/**
 * Settings as given: each is optional, and ignored if the method has none of that name.
 *
 * @useDeclaredType
 */
export type GivenSettings = { readonly [N in SettingName]?: ValueOf<N> | undefined };
export type SettingValues = { readonly [N in SettingName]: ValueOf<N> };

/** A guidance method's description: its name, what it does, its settings, and what it needs. */
export interface GuidanceMethod extends Omit<Method, "guide" | "name"> {
  /** Its name in requests. */
  readonly name: GuidanceName;
}

/** All guidance methods. */
export const guidanceMethods: readonly GuidanceMethod[] = methods.map(({ guide: _, ...described }) => described);

/** Their names. */
export const guidanceNames = methods.map(({ name }) => name) as [GuidanceName, ...GuidanceName[]];

const byName = new Map<GuidanceName, Method>(methods.map((method) => [method.name, method]));

export const methodOf = (name: GuidanceName): Method => byName.get(name)!;

/** Every setting once, the shared ones first; `settingsNamed` gives its variants. */
export const settingNames: readonly SettingName[] = [
  ...new Set([
    ...shared.map(({ name }) => name),
    ...methods.flatMap(({ settings }) => settings.map(({ name }) => name)),
  ]),
];

/** A method's settings, in that order. */
export const settingsOf = (guidance: GuidanceName): readonly (Setting & { readonly name: SettingName })[] =>
  settingNames.flatMap((name) => settingOf(guidance, name) ?? []);

/** A method's setting of that name, if it has one. */
export const settingOf = (guidance: GuidanceName, name: SettingName) =>
  methodOf(guidance).settings.find((one): one is Setting & { readonly name: SettingName } => one.name === name);

/** A setting's variants among the methods, each once: they differ in default and range. */
export const settingsNamed = (name: SettingName): readonly [Setting, ...Setting[]] =>
  [...new Set(guidanceMethods.flatMap(({ settings }) => settings.filter((one) => one.name === name)))] as [
    Setting,
    ...Setting[],
  ];

/** Whether a setting is the same quantity for both methods; scale and lambda are not. */
export function comparable(name: SettingName, one: GuidanceName, other: GuidanceName): boolean {
  const [a, b] = [settingOf(one, name), settingOf(other, name)];
  return a !== undefined && b !== undefined && a.label === b.label;
}

/**
 * A value for each of the method's settings, and no others.
 *
 * @param usual The model's defaults, for settings that take them.
 */
export const valuesOf = (guidance: GuidanceName, given: GivenSettings, usual: GivenSettings = {}): GivenSettings =>
  Object.fromEntries(
    settingsOf(guidance).map(({ name, ofModel, default: own }) => {
      const value = given[name] ?? (ofModel ? usual[name] : undefined) ?? own;
      return [name, value] as const;
    }),
  );

/** The values that recipes and experiments record: all but settings told "when changed" at their default. */
export const toldOf = (guidance: GuidanceName, given: GivenSettings, usual: GivenSettings = {}): GivenSettings => {
  const values = valuesOf(guidance, given, usual);
  const told = settingsOf(guidance).filter((one) => one.told !== "when changed" || values[one.name] !== one.default);
  return Object.fromEntries(told.map(({ name }) => [name, values[name]]));
};

/** A method's rows and how it mixes their predictions, with all rows computed at every step. */
export const guide = (guidance: GuidanceName, given: GivenSettings): Guidance =>
  methodOf(guidance).guide(valuesOf(guidance, given) as Record<string, never>);

const usualEvaluation = Object.fromEntries(evaluation.map((one) => [one.name, one.default])) as EvaluationValues;

const evaluationValues = (guidance: GuidanceName, given: GivenSettings): EvaluationValues =>
  ({ ...usualEvaluation, ...valuesOf(guidance, given) }) as EvaluationValues;

/** The rows a method computes at each of `steps` steps, and its guided prediction. */
export const evaluate = (guidance: GuidanceName, given: GivenSettings, steps: number): Evaluations =>
  evaluationsOf(guide(guidance, given), evaluationValues(guidance, given), steps);

/** A setting that the method cannot meet, and why, as a phrase that continues its name. */
export interface UnmetSetting {
  readonly name: SettingName;
  readonly why: string;
}

/** The setting that the method cannot meet: for fewer evaluations, or an omega by part; undefined if it can meet all. */
export function unmetSetting(guidance: GuidanceName, given: GivenSettings): UnmetSetting | undefined {
  const { omega } = given;
  const dial = settingOf(guidance, "omega");
  if (omega !== undefined && dial?.kind === "omega" && dial.whole && partsIn(omega).length > 0)
    return { name: "omega", why: `${omega} is by part, which ${guidance} cannot be, because ${dial.whole}` };
  const { everyStep } = methodOf(guidance);
  const asked = evaluation.find(({ name, default: usual }) => (given[name] ?? usual) !== usual);
  if (asked && everyStep) return { name: asked.name, why: `does not work with ${guidance}: ${everyStep}` };
  const { guidanceFrom: from, guidanceTo: to } = evaluationValues(guidance, given);
  if (from < to) return undefined;
  return { name: "guidanceFrom", why: `${from} leaves no step to guide, because guidance ends at ${to}` };
}

/** A warning about a setting's unusual value; undefined if it is usual. */
export function doubtOf(setting: Setting, value: number | string): string | undefined {
  if (setting.kind === "choice" || setting.usual === undefined) return undefined;
  const { from, to, is } = setting.usual;
  const values = setting.kind === "omega" ? omegasIn(value as Omega) : [Number(value)];
  return values.every((one) => one >= from && one <= to)
    ? undefined
    : `${setting.name} ${value} is outside ${from} to ${to}, ${is}`;
}

/** The settings to show in names of files and rows, by their `told`. */
export function namingSettings(guidance: GuidanceName, given: GivenSettings, varies: (name: SettingName) => boolean) {
  const told = toldOf(guidance, given);
  const values = valuesOf(guidance, given);
  const settings = settingsOf(guidance).flatMap((setting) => {
    const value = values[setting.name]!;
    const isTold = setting.told === "when changed" ? setting.name in told : varies(setting.name);
    return setting.told === "in names" || isTold ? [{ setting, value }] : [];
  });
  const first = settings.filter(({ setting }) => setting.told === "in names");
  return [...first, ...settings.filter((one) => !first.includes(one))];
}
