/** Text fidelity against subject fidelity, the omegas of a method joined to a curve that ends in its baseline. */
import { LineChart, ScatterChart } from "echarts/charts";
import { GridComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { methodOf } from "../guidance/index.ts";
import { labelSides, labelSize } from "./label-sides.ts";
import type { ArmResult } from "./results.ts";

export interface Ink {
  readonly text: string;
  readonly faint: string;
  readonly point: string;
  readonly curve: string;
  /** The ground, where there is to be one. */
  readonly paper?: string;
}

/** The points that no other beats in both, from the left. */
export const paretoFront = <P extends readonly [number, number]>(points: readonly P[]): P[] =>
  points
    .filter(([x, y]) => !points.some(([u, v]) => u >= x && v >= y && (u > x || v > y)))
    .toSorted(([x], [u]) => x - u);

/** An SVG document: CLIP-T to the right, DINO upwards, both better the farther. */
export function fidelityPlane(arms: readonly ArmResult[], ink: Ink, size = { width: 760, height: 460 }): string {
  use([LineChart, ScatterChart, GridComponent, SVGRenderer]);
  const chart = init(null, null, { renderer: "svg", ssr: true, ...size });
  const at = ({ scores }: ArmResult): [number, number] => [scores.clipT.mean, scores.dino.mean];
  const steered = arms.filter(({ arm }) => arm.omega !== undefined);
  const groupOf = ({ personalisation, arm: { omega: _, ...rest } }: ArmResult) =>
    JSON.stringify([personalisation, rest]);
  const curves = [...new Set(steered.map(groupOf))].map((group) => {
    const those = steered.filter((arm) => groupOf(arm) === group).sort((a, b) => a.arm.omega! - b.arm.omega!);
    const [{ personalisation, arm }] = those as [ArmResult, ...ArmResult[]];
    const { baseline, isBaselineAt } = methodOf(arm.guidance);
    const end = arms.find(
      (other) =>
        other.personalisation === personalisation && other.arm.guidance === baseline && other.arm.scale === arm.scale,
    );
    // One point for the two that are the same.
    return [...those.filter((one) => one.arm.omega !== isBaselineAt?.omega || !end), ...(end ? [end] : [])].map(at);
  });
  const front = paretoFront(arms.map(at));
  const axis = (name: string) => ({
    type: "value" as const,
    name,
    nameLocation: "middle" as const,
    scale: true,
    // Nearer together than three digits tell apart, ticks would be named alike.
    minInterval: 0.001,
    nameTextStyle: { color: ink.text, fontSize: 13 },
    axisLabel: { color: ink.faint, formatter: (value: number) => value.toFixed(3) },
    axisLine: { lineStyle: { color: ink.faint } },
    splitLine: { lineStyle: { color: ink.faint, opacity: 0.18 } },
    boundaryGap: ["8%", "8%"] as [string, string],
  });
  chart.setOption({
    animation: false,
    backgroundColor: ink.paper ?? "transparent",
    textStyle: { fontFamily: "system-ui, sans-serif" },
    grid: { left: 78, right: 48, top: 24, bottom: 58 },
    xAxis: { ...axis("text fidelity (CLIP-T)"), nameGap: 34 },
    yAxis: { ...axis("subject fidelity (DINO)"), nameGap: 56 },
    series: [
      {
        type: "line" as const,
        data: front,
        showSymbol: false,
        lineStyle: { color: ink.faint, width: 1.5, type: "dashed" as const },
      },
      ...curves.map((data) => ({
        type: "line" as const,
        data,
        showSymbol: false,
        smooth: 0.2,
        lineStyle: { color: ink.curve, width: 2 },
      })),
      { type: "scatter" as const, symbolSize: 10, data: arms.map((arm) => ({ value: at(arm) })) },
    ],
  });
  // Where the points came to lie is known only now, and with it where their names have room.
  const names = namesOf(arms);
  const pixel = (point: [number, number]) => chart.convertToPixel("grid", point) as [number, number];
  const lines = [front, ...curves].map((line) => line.map(pixel));
  const sides = labelSides(arms.map(at).map(pixel), names, lines, size.width);
  const data = arms.map((arm, i) => ({
    value: at(arm),
    itemStyle: { color: arm.arm.omega !== undefined ? ink.curve : ink.point },
    label: { show: true, formatter: names[i]!, position: sides[i]!, color: ink.text, fontSize: labelSize },
  }));
  chart.setOption({ series: [...Array(1 + curves.length).fill({}), { data }] });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}

/** The arms' names, each with what sets its way of fine-tuning apart from the others. */
function namesOf(arms: readonly ArmResult[]): string[] {
  const ways = [...new Set(arms.map(({ personalisation }) => personalisation))].map((way) => way.split(", "));
  return arms.map(({ personalisation, name }) => {
    const own = personalisation.split(", ").filter((part) => !ways.every((way) => way.includes(part)));
    return own.length > 0 ? `${own.join(", ")}: ${name}` : name;
  });
}
