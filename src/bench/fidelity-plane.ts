/** Text fidelity against subject fidelity, the omegas of pg joined to a curve that ends in cfg. */
import { LineChart, ScatterChart } from "echarts/charts";
import { GridComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { LabelLayout } from "echarts/features";
import { SVGRenderer } from "echarts/renderers";
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
  use([LineChart, ScatterChart, GridComponent, LabelLayout, SVGRenderer]);
  const chart = init(null, null, { renderer: "svg", ssr: true, ...size });
  const at = ({ scores }: ArmResult): [number, number] => [scores.clipT.mean, scores.dino.mean];
  const ways = new Set(arms.map(({ personalisation }) => personalisation));
  const groupOf = ({ personalisation, arm }: ArmResult) => `${personalisation} at ${arm.scale}`;
  const curves = [...new Set(arms.map(groupOf))].map((group) => {
    const those = arms.filter((arm) => groupOf(arm) === group);
    const pg = those.filter(({ arm }) => arm.guidance === "pg").sort((a, b) => a.arm.omega! - b.arm.omega!);
    // At omega 1 pg is cfg.
    const cfg = those.find(({ arm }) => arm.guidance === "cfg");
    return pg.length === 0 ? [] : [...pg.filter(({ arm }) => arm.omega !== 1), ...(cfg ? [cfg] : [])].map(at);
  });
  const several = ways.size > 1;
  const axis = (name: string) => ({
    type: "value" as const,
    name,
    nameLocation: "middle" as const,
    scale: true,
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
        data: paretoFront(arms.map(at)),
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
      {
        type: "scatter" as const,
        symbolSize: 10,
        labelLayout: { moveOverlap: "shiftY" as const },
        data: arms.map((arm) => ({
          value: at(arm),
          name: several ? `${arm.personalisation}: ${arm.name}` : arm.name,
          itemStyle: { color: arm.arm.guidance === "pg" ? ink.curve : ink.point },
        })),
        label: { show: true, formatter: "{b}", position: "right", color: ink.text, fontSize: 12 },
      },
    ],
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}
