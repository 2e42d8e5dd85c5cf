/** What follows from the list of methods: their names, the settings of all of them, and what a request's settings come to. */

import { type Evaluations, type EvaluationValues, evaluationsOf } from "./evaluations.ts";
import type { Guidance } from "./guidance.ts";
import type { Method, Setting, SettingValue } from "./method.ts";
import { methods } from "./methods.ts";
import { evaluation, shared } from "./settings.ts";

export type { ChoiceSetting, Method, Need, NumberSetting, Setting } from "./method.ts";

type Listed = (typeof methods)[number];
type ListedSetting = Listed["settings"][number];

/**
 * The guidance methods by the names that requests use.
 *
 * @useDeclaredType
 */
export type GuidanceName = Listed["name"];
export type SettingName = ListedSetting["name"];

type ValueOf<N extends SettingName> = SettingValue<Extract<ListedSetting, { readonly name: N }>>;
/**
 * Settings as they are given: each may be absent, and stands for nothing where the method has none of that name.
 *
 * @useDeclaredType
 */
export type GivenSettings = { readonly [N in SettingName]?: ValueOf<N> | undefined };
export type SettingValues = { readonly [N in SettingName]: ValueOf<N> };

/** A guidance method as people choose it: its name, what it does, its settings, and what it needs. */
export interface GuidanceMethod extends Omit<Method, "guide" | "name"> {
  /** As requests name it. */
  readonly name: GuidanceName;
}

/** The guidance methods there are. */
export const guidanceMethods: readonly GuidanceMethod[] = methods.map(({ guide: _, ...described }) => described);

/** Their names. */
export const guidanceNames = methods.map(({ name }) => name) as [GuidanceName, ...GuidanceName[]];

const byName = new Map<GuidanceName, Method>(methods.map((method) => [method.name, method]));

export const methodOf = (name: GuidanceName): Method => byName.get(name)!;

/** Every setting there is, once, the shared ones first; `settingsNamed` has what each method makes of it. */
export const settingNames: readonly SettingName[] = [
  ...new Set([
    ...shared.map(({ name }) => name),
    ...methods.flatMap(({ settings }) => settings.map(({ name }) => name)),
  ]),
];

/** The settings that a method has, in that order. */
export const settingsOf = (guidance: GuidanceName): readonly (Setting & { readonly name: SettingName })[] =>
  settingNames.flatMap((name) => settingOf(guidance, name) ?? []);

/** What a method has under a setting's name, if it takes notice of it. */
export const settingOf = (guidance: GuidanceName, name: SettingName) =>
  methodOf(guidance).settings.find((one): one is Setting & { readonly name: SettingName } => one.name === name);

/** The forms in which methods have a setting, each once: the same object or another default and range. */
export const settingsNamed = (name: SettingName): readonly [Setting, ...Setting[]] =>
  [...new Set(guidanceMethods.flatMap(({ settings }) => settings.filter((one) => one.name === name)))] as [
    Setting,
    ...Setting[],
  ];

/** Whether a setting is the same quantity for both methods: a scale and a lambda share no values. */
export function comparable(name: SettingName, one: GuidanceName, other: GuidanceName): boolean {
  const [a, b] = [settingOf(one, name), settingOf(other, name)];
  return a !== undefined && b !== undefined && a.label === b.label;
}

/**
 * A value for each setting that a method has, and none else.
 *
 * @param usual What a model sets in the place of the defaults that are a model's to set.
 */
export const valuesOf = (guidance: GuidanceName, given: GivenSettings, usual: GivenSettings = {}): GivenSettings =>
  Object.fromEntries(
    settingsOf(guidance).map(({ name, ofModel, default: own }) => {
      const value = given[name] ?? (ofModel ? usual[name] : undefined) ?? own;
      return [name, value] as const;
    }),
  );

/** Of these, what recipes and experiments say: all but those that came later and have their default. */
export const toldOf = (guidance: GuidanceName, given: GivenSettings, usual: GivenSettings = {}): GivenSettings => {
  const values = valuesOf(guidance, given, usual);
  const told = settingsOf(guidance).filter((one) => one.told !== "when changed" || values[one.name] !== one.default);
  return Object.fromEntries(told.map(({ name }) => [name, values[name]]));
};

/** What a method asks of the network and does with the answers, all of them at every step. */
export const guide = (guidance: GuidanceName, given: GivenSettings): Guidance =>
  methodOf(guidance).guide(valuesOf(guidance, given) as Record<string, never>);

const usualEvaluation = Object.fromEntries(evaluation.map((one) => [one.name, one.default])) as EvaluationValues;

const evaluationValues = (guidance: GuidanceName, given: GivenSettings): EvaluationValues =>
  ({ ...usualEvaluation, ...valuesOf(guidance, given) }) as EvaluationValues;

/** What a method asks of the network at each of `steps`, and what its prediction is there. */
export const evaluate = (guidance: GuidanceName, given: GivenSettings, steps: number): Evaluations =>
  evaluationsOf(guide(guidance, given), evaluationValues(guidance, given), steps);

/** The setting of fewer evaluations that cannot be met, and why, in words that go on from its name. */
export interface UnmetEvaluations {
  readonly name: SettingName;
  readonly why: string;
}

/** What of fewer evaluations cannot be met; undefined if all that is asked for can be. */
export function unmetEvaluations(guidance: GuidanceName, given: GivenSettings): UnmetEvaluations | undefined {
  const { everyStep } = methodOf(guidance);
  const asked = evaluation.find(({ name, default: usual }) => (given[name] ?? usual) !== usual);
  if (asked && everyStep) return { name: asked.name, why: `does not go with ${guidance}: ${everyStep}` };
  const { guidanceFrom: from, guidanceTo: to } = evaluationValues(guidance, given);
  if (from < to) return undefined;
  return { name: "guidanceFrom", why: `${from} leaves no step to guide, for guidance ends at ${to}` };
}

/** What is odd about a setting's value, in a sentence; undefined if nothing is. */
export function doubtOf(setting: Setting, value: number | string): string | undefined {
  if (setting.kind === "choice" || setting.usual === undefined) return undefined;
  const { from, to, is } = setting.usual;
  const within = Number(value) >= from && Number(value) <= to;
  return within ? undefined : `${setting.name} ${value} lies outside ${from} to ${to}, ${is}`;
}

/** The settings that a name of a file or a row tells: the first ones always, others where they vary, later ones where changed. */
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
