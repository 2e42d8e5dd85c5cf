import { describe, expect, test } from "vitest";
import { refusal } from "../../test/refusal.ts";
import { type Axes, planSweep as planOf } from "./sweep-plan.ts";

const axes = (given: Partial<Axes>): Axes => ({
  guidance: ["cfg"],
  scale: [],
  omega: [0.6],
  agScale: [2],
  sampler: ["ddim"],
  steps: [50],
  seed: [0],
  ...given,
});

const planSweep = (given: Axes, usual = { scale: 7.5, omega: 0.6 }) => planOf(given, usual);

describe("the pictures of a sweep", () => {
  test("omega varies only under pg, and scale not under none", () => {
    const { settings } = planSweep(axes({ guidance: ["none", "cfg", "pg"], omega: [0, 0.5], scale: [5, 7.5] }));
    expect(settings.map(({ guidance, scale, omega }) => [guidance, scale, omega])).toEqual([
      ["none", undefined, undefined],
      ["cfg", 5, undefined],
      ["cfg", 7.5, undefined],
      ["pg", 5, 0],
      ["pg", 5, 0.5],
      ["pg", 7.5, 0],
      ["pg", 7.5, 0.5],
    ]);
  });

  test("the autoguidance scale varies for methods that have one", () => {
    const { settings } = planSweep(axes({ guidance: ["cfg", "ag", "cfg+ag"], agScale: [2, 3] }));
    expect(settings.map(({ guidance, agScale }) => [guidance, agScale])).toEqual([
      ["cfg", undefined],
      ["ag", 2],
      ["ag", 3],
      ["cfg+ag", 2],
      ["cfg+ag", 3],
    ]);
  });

  test("beside other methods, cfg++ and pg++ take the scales in their range, else their default", () => {
    const scales = (scale: number[]) =>
      planSweep(axes({ guidance: ["pg", "pg++"], scale })).settings.map((setting) => [setting.guidance, setting.scale]);
    expect(scales([5, 7.5])).toEqual([
      ["pg", 5],
      ["pg", 7.5],
      ["pg++", 0.4],
    ]);
    expect(scales([])).toEqual([
      ["pg", 7.5],
      ["pg++", 0.4],
    ]);
  });

  test("an axis without effect is refused, naming the methods to add", () => {
    expect(() => planSweep(axes({ omega: [0, 1] }))).toThrow(
      refusal("sweep-idle-axis", "--omega", "--guidance cfg", "pg"),
    );
  });

  test("more than 10,000 pictures are refused", () => {
    const thousand = Array.from({ length: 1000 }, (_, i) => i);
    for (const more of [{ seed: thousand }, { scale: thousand, steps: thousand }]) {
      const plan = () => planSweep(axes({ guidance: ["pg"], omega: thousand, ...more }));
      expect(plan).toThrow(refusal("too-many-pictures", "10000"));
    }
  });
});

describe("the sheet of a sweep", () => {
  test("several seeds are columns, settings rows", () => {
    const plan = planSweep(axes({ guidance: ["cfg", "pg"], omega: [0, 0.5], seed: [3, 4] }));
    expect(plan.sheet).toEqual({
      rows: 3,
      columns: 2,
      rowLabels: [["cfg"], ["pg", "omega 0"], ["pg", "omega 0.5"]],
      columnLabels: ["seed 3", "seed 4"],
    });
    expect(plan.place(2, 1)).toEqual([2, 1]);
  });

  test("two varied axes make a grid, the longer one horizontal", () => {
    const plan = planSweep(axes({ guidance: ["pg"], omega: [0, 0.5, 1], scale: [5, 7.5] }));
    expect(plan.sheet).toEqual({
      rows: 2,
      columns: 3,
      rowLabels: [["scale 5"], ["scale 7.5"]],
      columnLabels: ["omega 0", "omega 0.5", "omega 1"],
    });
    const at = plan.settings.findIndex(({ omega, scale }) => omega === 1 && scale === 5);
    expect(plan.place(at, 0)).toEqual([0, 2]);
  });

  test("methods are rows, however many", () => {
    const { sheet } = planSweep(axes({ guidance: ["cfg", "none", "sag"], steps: [20, 50] }));
    expect([sheet.rows, sheet.rowLabels, sheet.columnLabels]).toEqual([
      3,
      [["cfg"], ["none"], ["sag"]],
      ["20 steps", "50 steps"],
    ]);
  });

  test("anything else is in reading order with captions", () => {
    const ragged = planSweep(axes({ guidance: ["cfg", "pg"], omega: [0, 0.5], scale: [5, 7.5] }));
    expect(ragged.sheet.captions).toEqual([
      "cfg 5",
      "cfg 7.5",
      "pg 5 · omega 0",
      "pg 5 · omega 0.5",
      "pg 7.5 · omega 0",
      "pg 7.5 · omega 0.5",
    ]);
    const line = planSweep(axes({ guidance: ["pg"], omega: [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1] }));
    expect([line.sheet.rows, line.sheet.columns, line.sheet.captions?.[3]]).toEqual([3, 4, "omega 0.3"]);
    expect(line.place(10, 0)).toEqual([2, 2]);
  });

  test("a single picture is labelled by its method", () => {
    expect(planSweep(axes({})).sheet).toEqual({ rows: 1, columns: 1, captions: ["cfg"] });
  });
});
