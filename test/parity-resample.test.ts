/** Resizing against PIL: fixtures of parity/encoders.py. */
import { expect, test } from "vitest";
import { type KernelName, resized } from "../src/images/resample.ts";
import { reference } from "./fixtures.ts";

const fixture = await reference("../encoders/features.safetensors");

test.each([
  ["bilinear", 20, 15],
  ["bilinear", 133, 100],
  ["bilinear", 31, 70],
  ["bicubic", 20, 15],
  ["bicubic", 133, 100],
  ["bicubic", 31, 70],
] as const)("%s to %d x %d matches PIL within 1/255", async (kernel: KernelName, width, height) => {
  const { shape, data } = await fixture("picture");
  const picture = { width: shape[1]!, height: shape[0]!, data: Uint8Array.from(data) };
  const found = resized(picture, { width, height }, kernel);
  const expected = (await fixture(`${kernel} ${width}x${height}`)).data;
  expect(found.data.length).toBe(expected.length);
  expect(Math.max(...found.data.map((value, i) => Math.abs(value - expected[i]!)))).toBeLessThanOrEqual(1);
});
