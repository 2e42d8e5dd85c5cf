import { expect, test } from "vitest";
import { shuffled } from "../studio/src/shuffled.ts";

test("a study shows its methods in every order about equally often", () => {
  for (const [count, orders] of [
    [2, 2],
    [3, 6],
  ] as const) {
    const seen = new Map<string, number>();
    const draws = 6000;
    for (let i = 0; i < draws; i++) {
      const order = shuffled(count, Math.floor((i / draws) * 2 ** 31)).join("");
      seen.set(order, (seen.get(order) ?? 0) + 1);
    }
    expect(seen.size).toBe(orders);
    // Six standard deviations of the expected count.
    const reach = 6 * Math.sqrt((draws / orders) * (1 - 1 / orders));
    for (const times of seen.values()) expect(Math.abs(times - draws / orders)).toBeLessThan(reach);
  }
});
