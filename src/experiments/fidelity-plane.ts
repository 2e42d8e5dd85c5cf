/** Plots text fidelity against subject fidelity; the omegas of a method form a curve that ends in its baseline. */
import { methodOf } from "../guidance/index.ts";
import { around, createPlot } from "../plots/plot.ts";
import { dot, letters, line, type Point } from "../plots/svg.ts";
import { dotRadius, labelPlace, labelSides, labelSize } from "./label-sides.ts";
import type { ArmResult } from "./results.ts";

export interface Ink {
  readonly text: string;
  readonly faint: string;
  readonly point: string;
  readonly curve: string;
  /** Background colour, if any. */
  readonly paper?: string;
}

/** The Pareto front: the points that no other beats in both, from the left. */
export const paretoFront = <P extends readonly [number, number]>(points: readonly P[]): P[] =>
  points
    .filter(([x, y]) => !points.some(([u, v]) => u >= x && v >= y && (u > x || v > y)))
    .toSorted(([x], [u]) => x - u);

/** An SVG document with CLIP-T on x and DINO on y, both of which must be measured; higher is better. */
export function fidelityPlane(arms: readonly ArmResult[], ink: Ink, size = { width: 760, height: 460 }): string {
  const at = ({ scores }: ArmResult): Point => [scores.clipT!.mean, scores.dino!.mean];
  const omegaOf = ({ arm: { omega } }: ArmResult) => (typeof omega === "number" ? omega : Number.NaN);
  const steered = arms.filter((arm) => !Number.isNaN(omegaOf(arm)));
  const groupOf = ({ personalisation, arm: { omega: _, ...rest } }: ArmResult) =>
    JSON.stringify([personalisation, rest]);
  const curves = [...new Set(steered.map(groupOf))].map((group) => {
    const those = steered.filter((arm) => groupOf(arm) === group).sort((a, b) => omegaOf(a) - omegaOf(b));
    const [{ personalisation, arm }] = those as [ArmResult, ...ArmResult[]];
    const { baseline, isBaselineAt } = methodOf(arm.guidance);
    const end = arms.find(
      (other) =>
        other.personalisation === personalisation && other.arm.guidance === baseline && other.arm.scale === arm.scale,
    );
    // The arm at omega 1 and the baseline are the same: one point.
    return [...those.filter((one) => one.arm.omega !== isBaselineAt?.omega || !end), ...(end ? [end] : [])].map(at);
  });
  const points = arms.map(at);
  const plot = createPlot({
    ...size,
    x: { name: "text fidelity (CLIP-T)", range: around(points, 0, 0.1) },
    y: { name: "subject fidelity (DINO)", range: around(points, 1, 0.1) },
    ink,
  });
  const names = namesOf(arms);
  const places = points.map(plot.at);
  const front = paretoFront(points).map(plot.at);
  const paths = curves.map((curve) => curve.map(plot.at));
  const sides = labelSides(places, names, [front, ...paths], size.width);
  return plot.document([
    line(front, { colour: ink.faint, width: 1.5, dashed: true }),
    ...paths.map((path) => line(path, { colour: ink.curve, width: 2 })),
    ...arms.flatMap(({ arm }, i) => {
      const [place, anchor] = labelPlace(places[i]!, sides[i]!);
      return [
        dot(places[i]!, dotRadius, arm.omega === undefined ? ink.point : ink.curve),
        letters(place, names[i]!, { colour: ink.text, size: labelSize, anchor }),
      ];
    }),
  ]);
}

/** The arms' names, with the fine-tuning method where there are several. */
function namesOf(arms: readonly ArmResult[]): string[] {
  const ways = [...new Set(arms.map(({ personalisation }) => personalisation))].map((way) => way.split(", "));
  return arms.map(({ personalisation, name }) => {
    const own = personalisation.split(", ").filter((part) => !ways.every((way) => way.includes(part)));
    return own.length > 0 ? `${own.join(", ")}: ${name}` : name;
  });
}
