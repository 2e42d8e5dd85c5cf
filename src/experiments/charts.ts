/** The charts of results: each metric over the numbers that the experiment varies. */
import { methodOf } from "../guidance/index.ts";
import { type MetricDescription, metricsOf } from "../metrics/fidelity.ts";
import { type Personalisation, personalisationName } from "./experiment.ts";
import type { Series } from "./interval-chart.ts";
import { published } from "./published.ts";
import type { ArmResult, Results } from "./results.ts";

/** A metric over a number. */
export interface Chart {
  /** The metric's label. */
  readonly metric: string;
  /** The number: omega, scale, rank, or training steps. */
  readonly over: string;
  /** A line for everything else that is varied. */
  readonly measured: readonly Series[];
  /** The paper's lines, where it has more than one point. */
  readonly paper: readonly Series[];
}

/** An arm at its place on a chart. */
interface Placed {
  readonly result: ArmResult;
  readonly x: number;
  /** The line that it belongs to. */
  readonly line: string;
}

/** Numbers of guidance first, then those of training. */
export function chartsOf(results: Results): Chart[] {
  const axes = [
    { over: "omega", placed: overOmega(results) },
    { over: "scale", placed: overSetting(results, "scale") },
    { over: "rank", placed: overTraining(results, "rank") },
    { over: "training steps", placed: overTraining(results, "steps") },
  ];
  return axes.flatMap(({ over, placed }) => {
    const lines = linesOf(placed);
    if (lines.length === 0) return [];
    return metricsOf(results.experiment.metrics).map((metric): Chart => {
      const paper = lines.map(([name, those]) => ({
        name,
        faint: true,
        points: those.flatMap(({ result, x }) => publishedAt(results, result, metric, x)),
      }));
      return {
        metric: metric.label,
        over,
        measured: lines.map(([name, those]) => ({
          name,
          points: those.flatMap(({ result, x }) =>
            result.scores[metric.name] ? [{ x, ...result.scores[metric.name]! }] : [],
          ),
        })),
        paper: paper.filter(({ points }) => points.length > 1),
      };
    });
  });
}

/** Lines of at least two points. */
function linesOf(placed: readonly Placed[]): [string, Placed[]][] {
  const names = [...new Set(placed.map(({ line }) => line))];
  return names
    .map((name): [string, Placed[]] => [name, placed.filter(({ line }) => line === name).sort((a, b) => a.x - b.x)])
    .filter(([, those]) => new Set(those.map(({ x }) => x)).size > 1);
}

/** Every method's omegas at every scale; its baseline, which it equals, ends the line. */
function overOmega({ arms }: Results): Placed[] {
  const placed = arms.flatMap((result): Placed[] => {
    const { omega } = result.arm;
    return typeof omega === "number" ? [{ result, x: omega, line: lineOf(result, arms, ["omega"]) }] : [];
  });
  const ends = placed.flatMap(({ result }): Placed[] => {
    const { baseline, isBaselineAt } = methodOf(result.arm.guidance);
    const end = arms.find(
      ({ personalisation, arm }) =>
        personalisation === result.personalisation && arm.guidance === baseline && arm.scale === result.arm.scale,
    );
    const x = isBaselineAt?.omega;
    return end && typeof x === "number" ? [{ result: end, x, line: lineOf(result, arms, ["omega"]) }] : [];
  });
  const unique = new Map([...ends, ...placed].map((one) => [`${one.line}/${one.x}`, one]));
  return [...unique.values()];
}

const overSetting = ({ arms }: Results, setting: "scale"): Placed[] =>
  arms.flatMap((result) => {
    const x = result.arm[setting];
    return x === undefined ? [] : [{ result, x, line: lineOf(result, arms, [setting]) }];
  });

/** The fine-tuning methods that differ in this setting. */
function overTraining({ arms, experiment }: Results, setting: "rank" | "steps"): Placed[] {
  return arms.flatMap((result) => {
    const one = personalisationOf(experiment.personalisation, result);
    const x = one && "recipe" in one ? one[setting] : undefined;
    if (typeof x !== "number") return [];
    const others = result.personalisation.split(", ").filter((part) => part !== `${setting} ${x}`);
    return [{ result, x, line: [...others.slice(1), result.name].join(": ") }];
  });
}

const personalisationOf = (all: readonly Personalisation[], { personalisation }: ArmResult) =>
  all.find((one) => personalisationName(one, all) === personalisation);

/** An arm's name without the settings along the axis, with its fine-tuning method where there are several. */
function lineOf({ personalisation, arm }: ArmResult, arms: readonly ArmResult[], without: readonly string[]): string {
  const several = new Set(arms.map((other) => other.personalisation)).size > 1;
  const kept = Object.entries(arm).filter(([name, value]) => {
    if (name === "guidance" || without.includes(name)) return false;
    return arms.some((other) => other.arm.guidance === arm.guidance && other.arm[name as keyof typeof arm] !== value);
  });
  const settings = kept.map(([name, value]) => `${name} ${value}`);
  return [...(several ? [personalisation] : []), [arm.guidance, ...settings].join(", ")].join(": ");
}

function publishedAt(
  { experiment }: Results,
  result: ArmResult,
  { name }: MetricDescription,
  x: number,
): Series["points"] {
  const one = personalisationOf(experiment.personalisation, result);
  const theirs: Partial<Record<string, number>> = { ...(one && published(experiment.model, one, result.arm)) };
  const mean = theirs[name];
  return mean === undefined ? [] : [{ x, mean, low: Number.NaN, high: Number.NaN }];
}
