/** What an experiment found, in one sentence. */
import { dino } from "../metrics/dino.ts";
import type { Interval } from "./crossed.ts";
import type { ArmResult, Results } from "./results.ts";

/** The omega for both fidelities, whose row is told of if there are several. */
const balanced = 0.6;

/**
 * The first comparison that the experiment asks for, else personalization guidance over its baseline, in DINO with its interval:
 * "pg 0.6 is higher than cfg in DINO by 0.037 (95 % interval 0.026 to 0.048), over 16 concepts and 496 pictures a row." Undefined if
 * there is no such comparison.
 */
export function sentenceOf({ arms, pairs, experiment }: Results): string | undefined {
  const [pair] = pairs ?? [];
  if (pair) {
    const { personalisation, name, over, differences } = pair;
    const one = arms.find((arm) => arm.personalisation === personalisation && arm.name === name);
    return one && sentence(one, over, differences[dino.name], experiment.personalisation.length > 1);
  }
  const [chosen] = arms
    .filter(({ arm, overCfg }) => arm.omega !== undefined && overCfg !== undefined)
    .toSorted((a, b) => fromBalanced(a) - fromBalanced(b));
  if (!chosen) return undefined;
  const over = chosen.arm.guidance === "pg++" ? "cfg++" : "cfg";
  return sentence(chosen, over, chosen.overCfg![dino.name], experiment.personalisation.length > 1);
}

/** How far a row's omega is from the balanced one; one that changes over the steps or between parts is farther than any number. */
const fromBalanced = ({ arm: { omega } }: ArmResult): number =>
  typeof omega === "number" ? Math.abs(omega - balanced) : Number.MAX_VALUE;

function sentence(
  { personalisation, name, prompts, pictures }: ArmResult,
  over: string,
  difference: Interval | undefined,
  several: boolean,
): string | undefined {
  if (!difference) return undefined;
  const { mean, low, high } = difference;
  const concepts = new Set(prompts.map(({ concept }) => concept)).size;
  const on = `over ${concepts} ${concepts === 1 ? "concept" : "concepts"} and ${pictures} pictures a row${several ? ` (${personalisation})` : ""}`;
  if (Number.isNaN(low)) return `${name} and ${over} differ in DINO by ${mean.toFixed(3)}, ${on}.`;
  if (low === 0 && high === 0) return `${name} equals ${over} in DINO, ${on}.`;
  if (low <= 0 && high >= 0)
    return `Whether ${name} or ${over} is higher in DINO is open: they differ by ${mean.toFixed(3)} (95 % interval ${low.toFixed(3)} to ${high.toFixed(3)}), ${on}.`;
  const [near, far] = mean > 0 ? [low, high] : [-high, -low];
  return `${name} is ${mean > 0 ? "higher" : "lower"} than ${over} in DINO by ${Math.abs(mean).toFixed(3)} (95 % interval ${near.toFixed(3)} to ${far.toFixed(3)}), ${on}.`;
}
