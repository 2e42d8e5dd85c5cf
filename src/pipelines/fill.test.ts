/** The parts of a request that depend on the model. */
import { expect, test } from "vitest";
import { refusal } from "../../test/refusal.ts";
import { usualDefaults } from "../families/stable-diffusion/defaults.ts";
import { fill } from "./fill.ts";
import type { Parts } from "./load.ts";

const defaults = { ...usualDefaults, omegas: {}, width: 512, height: 512, sideMultiple: 32 };
const parts = { model: { defaults, denoiser: {} }, adapters: [] } as unknown as Parts;

test("every picture's seed is an exact integer", () => {
  const seed = Number.MAX_SAFE_INTEGER - 3;
  expect(fill(parts, { prompt: "a cat", seed, count: 4 })).toMatchObject({ seed, count: 4 });
  expect(() => fill(parts, { prompt: "a cat", seed, count: 5 })).toThrow(refusal("seed-invalid", String(seed), "5"));
});

test("sides are multiples of what the model needs", () => {
  expect(fill(parts, { prompt: "a cat", width: 96 })).toMatchObject({ width: 96, height: 512 });
  expect(() => fill(parts, { prompt: "a cat", height: 104 })).toThrow(refusal("size-invalid", "height", "104", "32"));
});

test("the scale defaults to the model's, but CFG++'s lambda to its own", () => {
  expect(fill(parts, { prompt: "a cat", guidance: "cfg" }).scale).toBe(defaults.scale);
  for (const guidance of ["cfg++", "pg++"] as const) {
    expect(fill(parts, { prompt: "a cat", guidance }).scale).toBe(0.4);
  }
});
