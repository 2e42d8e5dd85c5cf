import { expect, test } from "vitest";
import { shownTo } from "./order.ts";
import type { Study } from "./study.ts";

const set = { setting: 0, subject: "dog", text: "a dog", pictures: ["0.png", "1.png", "2.png"], references: [] };
const study: Study = {
  tiller: "0",
  title: "x",
  seed: 3,
  settings: [{ name: "one", methods: ["A", "B", "C"] }],
  sets: Array.from({ length: 4 }, () => set),
};

test("a participant's order follows from the seed and the participant's number", () => {
  expect(shownTo(study, 5)).toEqual(shownTo(study, 5));
  expect(shownTo(study, 6)).not.toEqual(shownTo(study, 5));
  expect(shownTo({ ...study, seed: 4 }, 5)).not.toEqual(shownTo(study, 5));
});

test("every participant sees every set once, and every method of it once", () => {
  for (let participant = 1; participant <= 50; participant++) {
    const shown = shownTo(study, participant);
    expect(shown.map(({ set }) => set).sort()).toEqual([0, 1, 2, 3]);
    for (const { places } of shown) expect([...places].sort()).toEqual([0, 1, 2]);
  }
});

test("every method is at every place, and every set at every position, about equally often", () => {
  const participants = 3000;
  const places = new Map<string, number>();
  const positions = new Map<string, number>();
  const count = (map: Map<string, number>, key: string) => map.set(key, (map.get(key) ?? 0) + 1);
  for (let participant = 1; participant <= participants; participant++) {
    for (const [position, { set, places: order }] of shownTo(study, participant).entries()) {
      count(positions, `${set} at ${position}`);
      count(places, order.join());
    }
  }
  const even = (map: Map<string, number>, kinds: number, draws: number) => {
    expect(map.size).toBe(kinds);
    // Six standard deviations of the expected count.
    const reach = 6 * Math.sqrt((draws / map.size) * (1 - 1 / map.size));
    for (const times of map.values()) expect(Math.abs(times - draws / map.size)).toBeLessThan(reach);
  };
  even(places, 6, 4 * participants);
  even(positions, 16, 4 * participants);
});
