/** Plots the loss over a run: every step faintly, with the moving mean on top. */
import { around, createPlot } from "../../plots/plot.ts";
import { letters, line, type Point } from "../../plots/svg.ts";

/** The window of the moving mean, as a share of the run. */
const window = 0.05;

const ink = { text: "#1d1c1a", faint: "#8b867d", paper: "#ffffff" };
const eachStep = { name: "each step", colour: "#5470c6", width: 1, opacity: 0.35 };
const mean = { name: "moving mean", colour: "#c2410c", width: 2 };

/** An SVG document. */
export function lossPlot(entries: readonly { readonly step: number; readonly loss: number }[]): string {
  const points = entries.map(({ step, loss }): Point => [step, loss]);
  const plot = createPlot({
    width: 800,
    height: 400,
    x: { name: "step", range: around(points, 0, 0), leastStep: 1 },
    y: { name: "loss", range: around(points, 1, 0.05) },
    ink,
  });
  const legend = [eachStep, mean].flatMap(({ name, ...stroke }, i) => {
    const [from, to, text]: readonly Point[] = [290, 314, 320].map((x): Point => [x + 120 * i, 16]);
    return [line([from!, to!], stroke), letters(text!, name, { colour: ink.text, size: 12, anchor: "start" })];
  });
  return plot.document([line(points.map(plot.at), eachStep), line(movingMean(points).map(plot.at), mean), ...legend]);
}

function movingMean(points: readonly Point[]): Point[] {
  const length = Math.max(1, Math.round(points.length * window));
  let sum = 0;
  return points.map(([step, loss], i) => {
    sum += loss - (i >= length ? points[i - length]![1] : 0);
    return [step, sum / Math.min(i + 1, length)];
  });
}
