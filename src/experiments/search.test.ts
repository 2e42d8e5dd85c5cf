import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { normalValues } from "../random/streams.ts";
import { intervalOf } from "./crossed.ts";
import { keptResults } from "./kept-results.ts";
import { type Candidate, type Found, leastBudget, type Measure, type Place, search } from "./search.ts";

const prompts = Array.from({ length: 31 }, (_, i) => `p${i}`);
const cfg: Candidate = { omega: 1, scale: 2.5 };
const candidates = [0, 0.2, 0.4, 0.6, 0.8].map((omega) => ({ omega, scale: 2.5 }));

/** Scores with a known lead over cfg in DINO and loss in CLIP-T, of prompts and pictures that differ. */
function world(
  lead: (omega: number) => number,
  loss: (omega: number) => number,
  run = 0,
  asked: Place[][] = [],
): Measure {
  const ofPrompt = normalValues(run, "search prompts", 0, 31);
  return async (those, places) => {
    asked.push([...places]);
    return those.map(({ omega }) =>
      places.map((place) => {
        const p = prompts.indexOf(place.prompt);
        const [a, b] = normalValues(run, `search ${place.prompt} ${omega}`, place.seed, 2);
        return {
          ...place,
          dino: 0.6 + ofPrompt[p]! * 0.1 + lead(omega) + a! * 0.03,
          clipT: 0.9 - loss(omega) + b! * 0.01,
        };
      }),
    );
  };
}
const flat = () => 0;
const asked = { prompts, budget: 120, floor: 0.98 };

describe("within the budget", () => {
  test("all candidates are drawn on eight prompts, the better half on more, the last two on the most", async () => {
    const found = await search(
      candidates,
      cfg,
      asked,
      world((omega) => 0.1 * (1 - omega), flat),
    );
    expect(found.pictures).toBeLessThanOrEqual(120);
    expect(found.tried.map((one) => one.pictures)).toEqual([29, 29, 17, 8, 8]);
    expect(found.best).toMatchObject({ omega: 0, prompts: 29 });
    expect(found.decided).toBe(true);
  });

  test("a large one goes on to further seeds of the same prompts", async () => {
    const places: Place[][] = [];
    const found = await search(candidates, cfg, { ...asked, budget: 300 }, world(flat, flat, 0, places));
    expect(found.pictures).toBeLessThanOrEqual(300);
    const all = places.flat().map(({ prompt, seed }) => `${prompt} ${seed}`);
    expect(new Set(all).size).toBe(all.length);
    expect(Math.max(...places.flat().map(({ seed }) => seed))).toBeGreaterThan(0);
  });

  test("the least is eight pictures of each candidate and of cfg", async () => {
    expect(leastBudget(5, 31)).toBe(48);
    const found = await search(
      candidates,
      cfg,
      { ...asked, budget: 48 },
      world((omega) => 1 - omega, flat),
    );
    expect(found).toMatchObject({ pictures: 48, best: { omega: 0, prompts: 8 } });
  });
});

test("differences are to cfg on the same prompts and seeds", async () => {
  const found = await search(
    candidates,
    cfg,
    asked,
    world((omega) => 0.1 * (1 - omega), flat),
  );
  // Prompts differ by 0.1, which pairing removes: of 29 pictures the difference's error is some 0.04 / 29 ** 0.5.
  expect(found.best!.dino.high - found.best!.dino.low).toBeLessThan(0.05);
  expect(found.best!.dino.low).toBeLessThan(0.1);
  expect(found.best!.dino.high).toBeGreaterThan(0.1);
});

test("an omega that loses the text is not proposed, however faithful to the subject", async () => {
  const found = await search(
    candidates,
    cfg,
    asked,
    world(
      (omega) => 0.2 * (1 - omega),
      (omega) => (omega < 0.3 ? 0.05 : 0),
    ),
  );
  expect(found).toMatchObject({ decided: true, best: { omega: 0.4 } });
});

test("if those of the last round lose the text after all, another that keeps it is the best, on its own prompts", async () => {
  const first = world((omega) => 0.2 * (1 - omega), flat);
  const later = world(
    (omega) => 0.2 * (1 - omega),
    (omega) => (omega < 0.5 ? 0.1 : 0),
  );
  const measure: Measure = (those, places) => (places[0]!.prompt === "p0" ? first : later)(those, places);
  const found = await search(candidates, cfg, asked, measure);
  expect(found.best).toMatchObject({ omega: 0.6, prompts: 8 });
});

test("without a gain cfg stays; a gain too small for the budget is not decided, with what would decide it", async () => {
  const worse = await search(
    candidates,
    cfg,
    asked,
    world((omega) => -0.05 * (1 - omega), flat),
  );
  expect([worse.best, worse.decided]).toEqual([undefined, false]);
  const small = await search(
    candidates,
    cfg,
    asked,
    world((omega) => (omega < 1 ? 0.012 : 0), flat, 3),
  );
  expect(small.decided).toBe(false);
  expect(small.needs).toBeGreaterThan(120);
  expect(small.alike.length).toBeGreaterThan(0);
});

test("with no true gain a proposal is decided in at most 3 % of 200 searches", async () => {
  const outcomes = await Promise.all(
    Array.from({ length: 200 }, (_, run) => search(candidates, cfg, asked, world(flat, flat, run))),
  );
  expect(outcomes.filter(({ decided }) => decided).length / 200).toBeLessThanOrEqual(0.03);
});

/** Recorded scores of a grid of omegas: every concept's 31 prompts, one picture each. */
const grid = (await keptResults(fileURLToPath(new URL("../../results/sixteen", import.meta.url))))!;
const concepts = [...new Set(grid.arms[0]!.prompts.map(({ concept }) => concept))];

function recorded(concept: string) {
  const of = ({ omega }: Candidate) =>
    grid.arms
      .find(({ arm }) => (omega === 1 ? arm.guidance === "cfg" : arm.guidance === "pg" && arm.omega === omega))!
      .prompts.filter((one) => one.concept === concept);
  const names = of(cfg).map(({ prompt }) => prompt);
  // As `tune` orders them.
  const order = names.map((_, i) => names[(i * 12) % names.length]!);
  const measure: Measure = async (those, places) =>
    those.map((one) =>
      places.map((place) => {
        const { scores } = of(one).find(({ prompt }) => prompt === place.prompt)!;
        return { ...place, dino: scores.dino!, clipT: scores.clipT! };
      }),
    );
  return { of, order, measure };
}

/** Whether the grid's interval of DINO, of the best omega less this one, holds 0 or less. */
function withinBest(concept: string, { best }: Found): boolean {
  const { of } = recorded(concept);
  const mean = (one: Candidate, score: "dino" | "clipT") =>
    of(one).reduce((sum, { scores }) => sum + scores[score]!, 0) / of(one).length;
  const keeping = [cfg, ...candidates].filter((one) => mean(one, "clipT") >= 0.98 * mean(cfg, "clipT"));
  const top = keeping.toSorted((a, b) => mean(b, "dino") - mean(a, "dino"))[0]!;
  const proposed = of(best ?? cfg);
  const { low } = intervalOf(
    of(top).map(({ prompt, scores }, i) => ({ concept, prompt, value: scores.dino! - proposed[i]!.scores.dino! })),
  );
  return !(low > 0);
}

test("on recorded scores of sixteen concepts, what looks best lies within the full grid's interval of the best", async () => {
  const found = await Promise.all(
    concepts.map((concept) => {
      const { order, measure } = recorded(concept);
      return search(candidates, cfg, { ...asked, prompts: order }, measure);
    }),
  );
  const within = found.filter((one, i) => withinBest(concepts[i]!, one)).length;
  expect(within).toBeGreaterThanOrEqual(15);
  // What is called decided is better than cfg on the full grid, and keeps the text there.
  for (const [i, { best, decided }] of found.entries()) {
    const { of } = recorded(concepts[i]!);
    const total = (one: Candidate, score: "dino" | "clipT") =>
      of(one).reduce((sum, { scores }) => sum + scores[score]!, 0);
    if (!decided) continue;
    expect(total(best!, "dino")).toBeGreaterThan(total(cfg, "dino"));
    expect(total(best!, "clipT")).toBeGreaterThan(0.98 * total(cfg, "clipT"));
  }
  expect(found.filter(({ decided }) => decided).length).toBeGreaterThanOrEqual(6);
});
