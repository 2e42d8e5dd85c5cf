/** Which pictures a sweep makes, and where each stands on the sheet. */

import { type GuidanceSetting, settingsOf } from "../guidance/telling-settings.ts";
import type { SheetPlan } from "../images/node/contact-sheet.ts";
import { defaultScale, type GuidanceName, type SamplerName, UsageError } from "../index.ts";

/** The values to combine. Without scales, every method takes its default. */
export interface Axes {
  readonly guidance: readonly GuidanceName[];
  readonly scale: readonly number[];
  readonly omega: readonly number[];
  readonly agScale: readonly number[];
  readonly sampler: readonly SamplerName[];
  readonly steps: readonly number[];
  readonly seed: readonly number[];
}

export type AxisName = Exclude<keyof Axes, "seed">;

/** One combination; a setting that its method takes no notice of is absent. */
export interface Setting {
  readonly guidance: GuidanceName;
  readonly scale?: number;
  readonly omega?: number;
  readonly agScale?: number;
  readonly sampler: SamplerName;
  readonly steps: number;
}

export interface SweepPlan {
  readonly settings: readonly Setting[];
  readonly seeds: readonly number[];
  /** Axes on which the settings differ. */
  readonly varied: readonly AxisName[];
  readonly sheet: Omit<SheetPlan, "title" | "subtitle" | "picture">;
  /** Row and column of a picture, by the indices of its setting and seed. */
  place(setting: number, seed: number): readonly [row: number, column: number];
}

/** More pictures than this in one call are a slip of the keyboard. */
const mostPictures = 10_000;
/** A single row of pictures up to this many; more are wrapped. */
const mostAbreast = 6;

/**
 * Every combination that makes a difference, once: omega varies under pg and pg++ only, the scale not under none and ag, and
 * of mixed scales cfg++ and pg++ take those from 0 to 1, or their default.
 *
 * Several seeds are the columns of the sheet, settings its rows. With one seed, two varied axes make a grid, and anything
 * else stands in reading order with a caption each.
 *
 * @throws UsageError if an axis varies that no method given takes notice of, or there are more than 10,000 pictures.
 */
export function planSweep(axes: Axes): SweepPlan {
  for (const [axis, option, methods] of [
    ["scale", "--scale", "another method"],
    ["omega", "--omega", "pg or pg++"],
    ["agScale", "--ag-scale", "ag, cfg+ag or autolora"],
  ] as const) {
    if (axes[axis].length > 1 && !axes.guidance.some((guidance) => settingsOf(guidance).includes(axis))) {
      throw new UsageError(
        `${option} varies, but changes nothing with --guidance ${axes.guidance.join(",")}: add ${methods} to it.`,
      );
    }
  }
  const settings = combine(axes);
  const seeds = axes.seed;
  if (settings.length * seeds.length > mostPictures) {
    throw new UsageError(
      `This sweep has ${settings.length * seeds.length} pictures, and ${mostPictures} are the most: shorten its lists.`,
    );
  }
  const varied = (["guidance", "scale", "omega", "agScale", "sampler", "steps"] as const).filter(
    (axis) => new Set(settings.map((setting) => setting[axis]).filter((value) => value !== undefined)).size > 1,
  );
  return { settings, seeds, varied, ...arrange(settings, seeds, varied) };
}

function combine(axes: Axes): Setting[] {
  const settings: Setting[] = [];
  for (const guidance of axes.guidance) {
    const telling = settingsOf(guidance);
    const values = (axis: GuidanceSetting): readonly (number | undefined)[] => {
      const given = telling.includes(axis) ? axes[axis] : [];
      const meant = axis === "scale" && mixed(axes) ? given.filter((s) => inKind(s, guidance)) : given;
      if (meant.length > 0) return meant;
      return [axis === "scale" && telling.includes(axis) ? defaultScale(guidance) : undefined];
    };
    for (const sampler of axes.sampler) {
      for (const steps of axes.steps) {
        for (const scale of values("scale")) {
          for (const agScale of values("agScale")) {
            for (const omega of values("omega")) {
              settings.push({
                guidance,
                sampler,
                steps,
                ...(scale !== undefined && { scale }),
                ...(agScale !== undefined && { agScale }),
                ...(omega !== undefined && { omega }),
              });
              if (settings.length > mostPictures) return settings;
            }
          }
        }
      }
    }
  }
  return settings;
}

/** Whether methods with scales in [0, 1] stand beside methods with scales above. */
const mixed = ({ guidance }: Axes) => new Set(guidance.map(defaultScale)).size > 1;

const inKind = (scale: number, guidance: GuidanceName) => !guidance.endsWith("++") || (scale >= 0 && scale <= 1);

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

/** Two axes that are both varied in full; undefined if it is not so. */
function asGrid(settings: readonly Setting[], varied: readonly AxisName[]): Arrangement | undefined {
  const [a, b] = varied;
  if (a === undefined || b === undefined || varied.length > 2) return undefined;
  const valuesOf = (axis: AxisName) => [...new Set(settings.map((setting) => setting[axis]))];
  if (valuesOf(a).includes(undefined) || valuesOf(b).includes(undefined)) return undefined;
  if (valuesOf(a).length * valuesOf(b).length !== settings.length) return undefined;
  // Methods stand below each other; of two numbers the one with more values runs across.
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
  // As wide as it may be without a last row of one or two.
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

/** What tells a setting from the others, in a few words; the method alone if nothing does. */
export function labelParts(setting: Setting, varied: readonly AxisName[]): string[] {
  const shown = varied.filter((axis) => setting[axis] !== undefined);
  // "cfg 7.5" says in two words what "cfg, scale 7.5" says in three.
  const scaled = shown.includes("scale");
  const rest = shown.filter((axis) => axis !== "guidance" && axis !== "scale").map((axis) => axisLabel(axis, setting));
  if (scaled) return [`${setting.guidance} ${setting.scale}`, ...rest];
  return shown.includes("guidance") || rest.length === 0 ? [setting.guidance, ...rest] : rest;
}

function axisLabel(axis: AxisName, setting: Setting): string {
  switch (axis) {
    case "scale":
      return `scale ${setting.scale}`;
    case "omega":
      return `omega ${setting.omega}`;
    case "agScale":
      return `ag-scale ${setting.agScale}`;
    case "steps":
      return `${setting.steps} steps`;
    default:
      return setting[axis];
  }
}
