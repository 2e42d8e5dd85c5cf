/** Plans the pictures of a sweep and their cells on the sheet. */
import { type GuidanceName, type SamplerName, TillerError } from "../index.ts";
import {
  comparable,
  doubtOf,
  type GivenSettings,
  type SettingName,
  type SettingValues,
  settingNames,
  settingOf,
  settingsOf,
  type UsualSettings,
} from "../internal.ts";
import type { SheetPlan } from "../node.ts";
import { methodsWith } from "./setting-options.ts";
import { optionOf } from "./values.ts";

/** The values to combine. A setting without values gets the method's or the model's default. */
export type Axes = { readonly [N in SettingName]?: readonly SettingValues[N][] } & {
  readonly guidance: readonly GuidanceName[];
  readonly sampler: readonly SamplerName[];
  readonly steps: readonly number[];
  /** Of the picture to start from; empty without one, and for the default. */
  readonly strength?: readonly number[];
  readonly seed: readonly number[];
};

export type AxisName = "guidance" | SettingName | "sampler" | "steps" | "strength";

/** One combination, without settings that its method does not use. */
export type Setting = GivenSettings & {
  readonly guidance: GuidanceName;
  readonly sampler: SamplerName;
  readonly steps: number;
  readonly strength?: number;
};

export interface SweepPlan {
  readonly settings: readonly Setting[];
  readonly seeds: readonly number[];
  /** Axes on which the settings differ. */
  readonly varied: readonly AxisName[];
  readonly sheet: Omit<SheetPlan, "title" | "subtitle" | "picture">;
  /** Row and column of a picture, by the indices of its setting and seed. */
  place(setting: number, seed: number): readonly [row: number, column: number];
}

/** More pictures than this in one call are a typo. */
const mostPictures = 10_000;
/** Up to this many pictures form a single row; more are wrapped. */
const mostAbreast = 6;

/**
 * Every distinct combination: a setting varies only under methods that have it, and if it means different things to them (cfg's
 * scale, cfg++'s lambda) each takes the values in its range, or its default.
 *
 * Several seeds are the columns of the sheet, settings its rows. With one seed, two varied axes make a grid, and anything else is
 * in reading order with captions.
 *
 * @param usual The model's defaults for empty axes.
 * @throws TillerError if an axis varies that none of the methods uses, or there are more than 10,000 pictures.
 */
export function planSweep(axes: Axes, usual: Pick<UsualSettings, "scale" | "omega">): SweepPlan {
  for (const name of settingNames) {
    if ((axes[name]?.length ?? 0) > 1 && !axes.guidance.some((guidance) => settingOf(guidance, name))) {
      const option = optionOf(name);
      throw new TillerError(
        "sweep-idle-axis",
        `${option} varies, but has no effect with --guidance ${axes.guidance.join(",")}: add ${methodsWith(name)} to it.`,
      );
    }
  }
  const settings = combine(axes, usual);
  const seeds = axes.seed;
  if (settings.length * seeds.length > mostPictures) {
    throw new TillerError(
      "too-many-pictures",
      `This sweep has ${settings.length * seeds.length} pictures, and the limit is ${mostPictures}: shorten its lists.`,
    );
  }
  const varied = (["guidance", ...settingNames, "sampler", "steps", "strength"] as const).filter(
    (axis) => new Set(settings.map((setting) => setting[axis]).filter((value) => value !== undefined)).size > 1,
  );
  return { settings, seeds, varied, ...arrange(settings, seeds, varied) };
}

function combine(axes: Axes, usual: GivenSettings): Setting[] {
  const settings: Setting[] = [];
  const strengths = axes.strength?.length ? axes.strength.map((strength) => ({ strength })) : [{}];
  for (const guidance of axes.guidance) {
    for (const sampler of axes.sampler) {
      for (const steps of axes.steps) {
        for (const strength of strengths) {
          for (const values of combinations(guidance, axes, usual)) {
            settings.push({ guidance, sampler, steps, ...strength, ...values });
            if (settings.length > mostPictures) return settings;
          }
        }
      }
    }
  }
  return settings;
}

/** A method's settings with every combination of their values, the last setting varying first. */
function* combinations(guidance: GuidanceName, axes: Axes, usual: GivenSettings, from = 0): Generator<GivenSettings> {
  const setting = settingsOf(guidance)[from];
  if (!setting) return yield {};
  const { name } = setting;
  const given: readonly (number | string)[] = axes[name] ?? [];
  const same = axes.guidance.every((other) => !settingOf(other, name) || comparable(name, guidance, other));
  const meant = same ? given : given.filter((value) => doubtOf(setting, value) === undefined);
  const own = setting.told === "when changed" ? undefined : setting.default;
  for (const value of meant.length > 0 ? meant : [(setting.ofModel ? usual[name] : undefined) ?? own]) {
    const one = value === undefined ? {} : { [name]: value };
    for (const rest of combinations(guidance, axes, usual, from + 1)) yield { ...one, ...rest };
  }
}

type Arrangement = Pick<SweepPlan, "sheet" | "place">;

function arrange(settings: readonly Setting[], seeds: readonly number[], varied: readonly AxisName[]): Arrangement {
  if (seeds.length > 1) {
    return {
      sheet: {
        rows: settings.length,
        columns: seeds.length,
        rowLabels: settings.map((setting) => labelParts(setting, varied)),
        columnLabels: seeds.map((seed) => `seed ${seed}`),
      },
      place: (setting, seed) => [setting, seed],
    };
  }
  return asGrid(settings, varied) ?? inReadingOrder(settings, varied);
}

/** The grid of two fully varied axes; undefined otherwise. */
function asGrid(settings: readonly Setting[], varied: readonly AxisName[]): Arrangement | undefined {
  const [a, b] = varied;
  if (a === undefined || b === undefined || varied.length > 2) return undefined;
  const valuesOf = (axis: AxisName) => [...new Set(settings.map((setting) => setting[axis]))];
  if (valuesOf(a).includes(undefined) || valuesOf(b).includes(undefined)) return undefined;
  if (valuesOf(a).length * valuesOf(b).length !== settings.length) return undefined;
  // Methods are rows; of two numeric axes the one with more values is horizontal.
  const across = a === "guidance" || valuesOf(b).length >= valuesOf(a).length ? b : a;
  const down = across === b ? a : b;
  const [rows, columns] = [valuesOf(down), valuesOf(across)];
  const label = (axis: AxisName, value: Setting[AxisName]) => axisLabel(axis, { ...settings[0]!, [axis]: value });
  return {
    sheet: {
      rows: rows.length,
      columns: columns.length,
      rowLabels: rows.map((value) => [label(down, value)]),
      columnLabels: columns.map((value) => label(across, value)),
    },
    place: (setting) => [rows.indexOf(settings[setting]![down]), columns.indexOf(settings[setting]![across])],
  };
}

function inReadingOrder(settings: readonly Setting[], varied: readonly AxisName[]): Arrangement {
  const count = settings.length;
  const wrapped = Math.ceil(Math.sqrt(count * 1.4));
  // As wide as possible without a last row of one or two.
  const columns = count <= mostAbreast ? count : Math.ceil(count / Math.ceil(count / wrapped));
  return {
    sheet: {
      rows: Math.ceil(count / columns),
      columns,
      captions: settings.map((setting) => labelParts(setting, varied).join(" · ")),
    },
    place: (setting) => [Math.floor(setting / columns), setting % columns],
  };
}

/** A short label of what is special about a setting; just the method if nothing varies. */
export function labelParts(setting: Setting, varied: readonly AxisName[]): string[] {
  const shown = varied.filter((axis) => setting[axis] !== undefined);
  // "cfg 7.5" is short for "cfg, scale 7.5".
  const scaled = shown.includes("scale");
  const rest = shown.filter((axis) => axis !== "guidance" && axis !== "scale").map((axis) => axisLabel(axis, setting));
  if (scaled) return [`${setting.guidance} ${setting.scale}`, ...rest];
  return shown.includes("guidance") || rest.length === 0 ? [setting.guidance, ...rest] : rest;
}

function axisLabel(axis: AxisName, setting: Setting): string {
  switch (axis) {
    case "guidance":
    case "sampler":
      return setting[axis];
    case "steps":
      return `${setting.steps} steps`;
    case "strength":
      return `strength ${setting.strength}`;
    default:
      return axisText(axis, setting[axis]!);
  }
}

/** `ag-scale 2`, named like the option. */
export const axisText = (name: SettingName, value: number | string): string => `${optionOf(name).slice(2)} ${value}`;
