/** The effects of softening on the world's pictures. */
import { expect, test } from "vitest";
import { float32 } from "../src/runtime/index.ts";
import { planesOfSample, planesOfSamples, worldSample } from "./sampling.ts";
import { softened, softenedPicture } from "./softened.ts";

const planes = planesOfSample(worldSample(3, "held out"));
const none = { waver: 0, mottle: 0, blur: 0 };
const off = (other: Float32Array) =>
  planes.reduce((sum, value, i) => sum + (value - other[i]!) ** 2, 0) / planes.length;

const same = (a: Float32Array, b: Float32Array) => a.length === b.length && a.every((value, i) => value === b[i]);

test("without softness a picture is unchanged", () => {
  expect(same(softenedPicture(planes, none, 1), planes)).toBe(true);
});

test("every kind of error changes a picture, more with larger amounts", () => {
  for (const [name, amount] of [
    ["waver", 1],
    ["mottle", 0.1],
    ["blur", 1],
  ] as const) {
    const [little, much] = [0.5 * amount, amount].map((part) =>
      off(softenedPicture(planes, { ...none, [name]: part }, 1)),
    );
    expect(little, name).toBeGreaterThan(0);
    expect(much, name).toBeGreaterThan(1.3 * little!);
  }
});

test("a blur keeps a plane of one colour, and the total brightness of a dot", () => {
  const flat = new Float32Array(planes.length).fill(0.25);
  for (const value of softenedPicture(flat, { ...none, blur: 2 }, 1)) expect(value).toBeCloseTo(0.25, 5);

  const dot = new Float32Array(planes.length);
  dot[64 * 128 + 64] = 1;
  const blurred = softenedPicture(dot, { ...none, blur: 2 }, 1);
  expect(blurred.reduce((a, b) => a + b)).toBeCloseTo(1, 5);
  // The peak of a Gaussian with standard deviation 2.
  expect(blurred[64 * 128 + 64]).toBeCloseTo(1 / (2 * Math.PI * 4), 3);
});

test("about a quarter of a batch stays crisp, all within -1..1, and the same draw gives the same result", () => {
  const count = 24;
  const samples = Array.from({ length: count }, (_, i) => worldSample(i, "held out"));
  const batch = float32([count, 3, 128, 128], planesOfSamples(samples));
  const before = batch.data.slice() as Float32Array;
  const data = (draw: number) => softened(batch, draw).data as Float32Array;
  const soft = data(5);
  expect(same(batch.data as Float32Array, before)).toBe(true);
  expect(soft.every((value) => value >= -1 && value <= 1)).toBe(true);
  const crisp = samples.filter((_, i) => {
    const [from, to] = [i * planes.length, (i + 1) * planes.length];
    return same(soft.subarray(from, to), before.subarray(from, to));
  });
  expect(crisp.length).toBeGreaterThan(1);
  expect(crisp.length).toBeLessThan(count / 2);
  expect(same(data(5), soft)).toBe(true);
  expect(same(data(6), soft)).toBe(false);
});
