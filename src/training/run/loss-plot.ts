/** The loss over a run, as a picture: every step faintly, their moving mean on top. */

/** Share of the run that one point of the moving mean looks back over. */
const window = 0.05;

/** An SVG document. */
export async function lossPlot(entries: readonly { readonly step: number; readonly loss: number }[]): Promise<string> {
  const [{ LineChart }, { GridComponent, LegendComponent }, { init, use }, { SVGRenderer }] = await Promise.all([
    import("echarts/charts"),
    import("echarts/components"),
    import("echarts/core"),
    import("echarts/renderers"),
  ]);
  use([LineChart, GridComponent, LegendComponent, SVGRenderer]);
  const chart = init(null, null, { renderer: "svg", ssr: true, width: 800, height: 400 });
  const points = entries.map(({ step, loss }) => [step, loss]);
  chart.setOption({
    animation: false,
    backgroundColor: "#ffffff",
    legend: { top: 8 },
    grid: { left: 64, right: 24, top: 40, bottom: 48 },
    xAxis: { type: "value", name: "step", nameLocation: "middle", nameGap: 28, min: "dataMin", max: "dataMax" },
    yAxis: { type: "value", name: "loss", scale: true },
    series: [
      { name: "each step", type: "line", data: points, showSymbol: false, lineStyle: { width: 1, opacity: 0.35 } },
      { name: "moving mean", type: "line", data: movingMean(points), showSymbol: false, lineStyle: { width: 2 } },
    ],
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}

function movingMean(points: readonly number[][]): number[][] {
  const length = Math.max(1, Math.round(points.length * window));
  let sum = 0;
  return points.map(([step, loss], i) => {
    sum += loss! - (i >= length ? points[i - length]![1]! : 0);
    return [step!, sum / Math.min(i + 1, length)];
  });
}
