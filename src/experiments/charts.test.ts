import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { chartsOf } from "./charts.ts";
import { fidelityPlane } from "./fidelity-plane.ts";
import { sentenceOf } from "./finding-sentence.ts";
import { keptResults } from "./kept-results.ts";
import type { Results } from "./results.ts";

const kept = async (name: string): Promise<Results> =>
  (await keptResults(fileURLToPath(new URL(`../../results/${name}`, import.meta.url))))!;
/** The lines of DINO's chart: name and values along the axis. */
const dinoOver = (results: Results, over: string) =>
  chartsOf(results)
    .find((chart) => chart.metric === "DINO" && chart.over === over)!
    .measured.map(({ name, points }) => [name, points.map(({ x }) => x).sort((a, b) => a - b)]);

describe("each metric has a chart", () => {
  test("over omega, a line for each method, which ends in its baseline", async () => {
    const results = await kept("omega");
    expect(chartsOf(results).map(({ metric, over }) => `${metric} ${over}`)).toEqual([
      "DINO omega",
      "CLIP-I omega",
      "CLIP-T omega",
    ]);
    const steps = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1];
    expect(dinoOver(results, "omega")).toEqual([["pg", steps]]);
    // The table's numbers.
    const [{ measured } = { measured: [] }] = chartsOf(results);
    const cfg = results.arms.find(({ name }) => name === "cfg")!;
    expect(measured[0]!.points.find(({ x }) => x === 1)).toEqual({ x: 1, ...cfg.scores.dino });
  });

  test("over omega, without rows whose omega is no one number", async () => {
    const results = await kept("omega");
    const [one] = results.arms.filter(({ name }) => name === "pg 0.5");
    const changing = { ...one!, name: "pg linear:0..1", arm: { ...one!.arm, omega: "linear:0..1" } } as const;
    const more = { ...results, arms: [...results.arms, changing] };
    expect(dinoOver(more, "omega")).toEqual(dinoOver(results, "omega"));
    expect(fidelityPlane(more.arms, { text: "#000", faint: "#999", point: "#333", curve: "#c30" })).toContain(
      ">pg linear:0..1</text>",
    );
    expect(sentenceOf({ ...more, arms: [changing, ...results.arms] })).toBe(sentenceOf(results));
  });

  test("over scale, where several scales were drawn", async () => {
    expect(dinoOver(await kept("quick"), "scale")).toEqual([
      ["cfg", [1.5, 2.5, 4, 6]],
      ["pg, omega 0.6", [1.5, 2.5, 4, 6]],
    ]);
  });

  test.each([
    ["rank", "rank", [4, 8, 16, 32]],
    ["steps", "training steps", [100, 200, 400, 800]],
  ])("over %s", async (name, over, values) => {
    expect(dinoOver(await kept(name), over)).toEqual(["cfg", "pg 0", "pg 0.6"].map((line) => [line, values]));
  });

  test("with the paper's curve where it has one for the model", async () => {
    const results = await kept("omega");
    const [recipe] = results.experiment.personalisation;
    const paperlike = {
      ...results,
      experiment: {
        ...results.experiment,
        model: "stable-diffusion-v1-5",
        personalisation: [{ ...recipe, steps: 500, rank: 4 }],
      },
      arms: results.arms.map((one) => ({ ...one, arm: { ...one.arm, scale: 7.5 } })),
    } as Results;
    const [{ paper } = { paper: [] }] = chartsOf(paperlike);
    expect(paper.map(({ points }) => points.length)).toEqual([11]);
    expect(paper[0]!.points.find(({ x }) => x === 0.6)!.mean).toBe(0.5024);
    expect(chartsOf(results)[0]!.paper).toEqual([]);
  });
});

describe("a report's first sentence", () => {
  test("is PG's difference in DINO with its interval", async () => {
    expect(sentenceOf(await kept("sixteen"))).toMatch(
      /^pg 0\.6 is higher than cfg in DINO by 0\.037 \(95 % interval 0\.026 to 0\.048\), over 16 concepts and 496 pictures a row\.$/,
    );
  });

  test("is the first comparison that the experiment asks for", async () => {
    const results = await kept("output-interpolation");
    const [{ name, over } = { name: "", over: "" }] = results.pairs ?? [];
    expect(sentenceOf(results)).toContain(name);
    expect(sentenceOf(results)).toContain(over);
  });

  test("says that a question is open if the interval holds 0", async () => {
    expect(sentenceOf(await kept("class-diffusion"))).toMatch(/^Whether pg 0\.6 or cfg is higher in DINO is open/);
  });

  test("is missing without a comparison", () => {
    expect(sentenceOf({ arms: [], experiment: { personalisation: [] } } as unknown as Results)).toBeUndefined();
  });
});
