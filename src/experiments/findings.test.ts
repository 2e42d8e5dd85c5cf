import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { refusal } from "../../test/refusal.ts";
import { byMetric, usualMetrics } from "../metrics/fidelity.ts";
import { armName, armsOf, completedExperiment, personalisationName } from "./experiment.ts";
import { decide } from "./findings.ts";
import { type FindingsFile, readFindings } from "./findings-file.ts";
import type { Results } from "./results.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-findings-"));
});
afterAll(() => rm(folder, { recursive: true }));

const experiment = (name: string) => ({
  name,
  personalisation: [{ method: "dreambooth" }],
  guidance: [{ method: "cfg" }],
});
const claim = { says: "more", metric: "dino", rows: { "main | pg 0.6": 1, "main | cfg": -1 }, is: "above" };

/** A file with one finding of these claims. */
async function fileOf(claims: readonly object[], more: object = {}): Promise<FindingsFile> {
  const own = await mkdtemp(join(folder, "file-"));
  for (const name of ["main", "other"]) await writeFile(join(own, `${name}.json`), JSON.stringify(experiment(name)));
  const findings = [{ number: 1, says: "PG gains", claims }];
  const margins = { small: { value: 0.05, why: "for a test" } };
  await writeFile(
    join(own, "findings.json"),
    JSON.stringify({ experiments: ["main", "other"], margins, findings, ...more }),
  );
  return readFindings(join(own, "findings.json"));
}

/** Results of six concepts and four prompts, each row's scores higher by its lead. */
const resultsOf = (leads: Readonly<Record<string, number>>, model = "m"): Results =>
  ({
    identities: { model, encoders: [] },
    units: { done: 1, total: 1 },
    arms: Object.entries(leads).map(([name, lead]) => ({
      personalisation: "dreambooth",
      name,
      prompts: Array.from({ length: 24 }, (_, i) => ({
        concept: `c${i % 6}`,
        prompt: `p${Math.floor(i / 6)}`,
        // Concepts and prompts differ, rows a little within them.
        scores: byMetric(usualMetrics, () => 0.5 + Math.sin(i) / 4 + lead + Math.sin(7 * i + name.length) / 500),
        folder: "",
        seeds: [0, 1],
      })),
    })),
  }) as unknown as Results;

test("the paper's findings are a valid file, which decides from the committed results", async () => {
  const file = await readFindings(fileURLToPath(new URL("../../experiments/findings.json", import.meta.url)));
  expect(file.findings.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  expect(file.findings[0]!.claims[5]!.claimed).toEqual({ is: "within", margin: 0.023 });
});

test.each(["findings.json", "omega-deeper-findings.json"])("every row that %s names is drawn", async (name) => {
  const file = await readFindings(fileURLToPath(new URL(`../../experiments/${name}`, import.meta.url)));
  const drawn = new Map(
    [...file.experiments].map(([experiment, given]) => {
      const usual = { sampler: "dpm++", steps: 6, scale: 2.5, omegas: [0.6] } as const;
      const { personalisation } = given;
      const arms = armsOf(completedExperiment(given, usual));
      const names = arms.map((arm) => armName(arm, arms));
      // With several ways of fine-tuning, theirs comes first.
      const ways = personalisation.map((one) => personalisationName(one, personalisation));
      return [experiment, [...names, ...ways.flatMap((way) => names.map((one) => `${way}: ${one}`))]];
    }),
  );
  const terms = file.findings.flatMap(({ claims }) => claims.flatMap((one) => one.terms));
  expect(terms.length).toBeGreaterThan(0);
  for (const { experiment, row } of terms) expect(drawn.get(experiment)).toContain(row);
});

test("an effect is paired over concepts and prompts, and counts its pictures", async () => {
  const file = await fileOf([{ ...claim, published: 0.03 }]);
  const [found] = decide(file, new Map([["main", resultsOf({ cfg: 0, "pg 0.6": 0.03 })]]));
  expect(found).toMatchObject({ number: 1, says: "PG gains", verdict: "held", from: ["main"] });
  expect(found!.claims[0]).toMatchObject({ concepts: 6, pictures: 96, published: 0.03, alone: "held" });
  expect(found!.claims[0]!.effect.mean).toBeCloseTo(0.03, 2);
  expect(found!.claims[0]!.effect.low).toBeGreaterThan(0.02);
  expect(found!.claims[0]!.smallestSeen).toBeLessThan(0.01);
});

test("an interaction is the difference of differences, a slope the line's through its rows", async () => {
  const rows = { cfg: 0, "pg 0.6": 0.03, "cfg s=2": -0.1, "pg 0.6 s=2": 0.1, "cfg s=4": -0.3, "pg 0.6 s=4": 0.3 };
  const of = (names: readonly string[]) => names.map((name) => `main | ${name}`);
  const slope = { over: [1, 2, 4], rows: of(["pg 0.6", "pg 0.6 s=2", "pg 0.6 s=4"]) };
  const less = of(["cfg", "cfg s=2", "cfg s=4"]);
  const { rows: _, ...sloping } = claim;
  const file = await fileOf([
    { ...claim, rows: { "main | pg 0.6 s=2": 1, "main | cfg s=2": -1, "main | pg 0.6": -1, "main | cfg": 1 } },
    { ...sloping, slope },
    { ...sloping, slope: { ...slope, less } },
  ]);
  const [{ claims } = { claims: [] }] = decide(file, new Map([["main", resultsOf(rows)]]));
  const means = claims.map(({ effect }) => effect.mean);
  // By hand: the slope of 0.03, 0.1, 0.3 over 1, 2, 4 is 0.42333 / 4.6667; CFG's is -0.1 at every step.
  expect(means[0]).toBeCloseTo(0.17, 2);
  expect(means[1]).toBeCloseTo(0.0914, 2);
  expect(means[2]).toBeCloseTo(0.1914, 2);
});

test("other experiments stand in while a finding's own are not all drawn, and it says so", async () => {
  const rows = { "main | pg 0.6": 1, "other | cfg": -1 };
  const file = await fileOf([{ ...claim, rows }], { instead: { main: "old", other: "old" } });
  const [one, old] = [resultsOf({ cfg: 0, "pg 0.6": 0.03 }), resultsOf({ cfg: 0, "pg 0.6": -0.03 })];
  const verdictWith = (results: Record<string, Results>) => {
    const [{ verdict, from, claims } = decide(file, new Map())[0]!] = decide(file, new Map(Object.entries(results)));
    return [verdict, from, claims.length];
  };
  expect(verdictWith({ main: one, other: one, old })).toEqual(["held", ["main", "other"], 1]);
  expect(verdictWith({ main: one, old })).toEqual(["contradicted", ["old"], 1]);
  expect(verdictWith({ main: one })).toEqual(["undecided", [], 0]);
});

test("an undecided claim says what would decide it", async () => {
  const file = await fileOf([{ ...claim, is: "within", margin: "small" }]);
  const [{ claims } = { claims: [] }] = decide(file, new Map([["main", resultsOf({ cfg: 0, "pg 0.6": 0.048 })]]));
  expect(claims[0]!.alone).toBe("undecided");
  expect(claims[0]!.needs!.timesConcepts).toBeGreaterThan(1);
});

describe("refused:", () => {
  test.each([
    [{ ...claim, rows: { "pg 0.6": 1 } }, "EXPERIMENT | ROW"],
    [{ ...claim, rows: { "none | pg 0.6": 1 } }, "none | pg 0.6"],
    [{ ...claim, is: "within" }, "margin"],
    [{ ...claim, is: "within", margin: "large" }, "large"],
    [{ ...claim, slope: { over: [1, 2], rows: ["main | a", "main | b"] } }, "rows or a slope"],
  ])("a file with a wrong claim: %#", async (wrong, where) => {
    await expect(fileOf([wrong])).rejects.toThrow(refusal("experiment-invalid", where));
  });

  test("results without a claim's row, and results of different models", async () => {
    const file = await fileOf([claim]);
    expect(() => decide(file, new Map([["main", resultsOf({ cfg: 0 })]]))).toThrow(
      refusal("experiment-invalid", "pg 0.6", "dreambooth: cfg"),
    );
    const both = await fileOf([{ ...claim, rows: { "main | cfg": 1, "other | cfg": -1 } }]);
    const results = new Map([
      ["main", resultsOf({ cfg: 0 })],
      ["other", resultsOf({ cfg: 0 }, "another")],
    ]);
    expect(() => decide(both, results)).toThrow(refusal("experiment-invalid", "main", "other"));
  });
});
