import { expect, test } from "vitest";
import { float32 } from "../src/runtime/index.ts";
import { takeIn } from "./normalise-latents.ts";

test("latents are normalised, and the decoder's input stays the same", () => {
  const tensors = new Map([
    [
      "quant_conv.weight",
      float32(
        [4, 4, 1, 1],
        Float32Array.from({ length: 16 }, (_, i) => i / 8 - 1),
      ),
    ],
    ["quant_conv.bias", float32([4], Float32Array.of(0.5, -1, -6, -5))],
    ["post_quant_conv.weight", float32([2, 2, 1, 1], Float32Array.of(0.3, -0.7, 1.1, 0.2))],
    ["post_quant_conv.bias", float32([2], Float32Array.of(0.1, -0.2))],
  ]);
  const data = (name: string) => tensors.get(name)!.data as Float32Array;
  const product = (weight: string, bias: string, x: readonly number[]) =>
    [...data(bias)].map((b, o) => x.reduce((sum, v, i) => sum + v * data(weight)[o * x.length + i]!, b));
  const encode = () => product("quant_conv.weight", "quant_conv.bias", [0.2, -0.4, 0.9, 0.5]);
  const decode = (latents: readonly number[]) => product("post_quant_conv.weight", "post_quant_conv.bias", latents);

  const before = encode();
  const seen = decode(before.slice(0, 2));
  const statistics = [
    { mean: 2, deviation: 4 },
    { mean: -1, deviation: 0.5 },
  ];
  takeIn(tensors, statistics);
  const after = encode();
  for (const [c, { mean, deviation }] of statistics.entries()) {
    expect(after[c]).toBeCloseTo((before[c]! - mean) / deviation, 5);
    // Log variances: the noise's standard deviation is divided too.
    expect(Math.exp(after[2 + c]! / 2)).toBeCloseTo(Math.exp(before[2 + c]! / 2) / deviation, 5);
  }
  for (const [o, value] of decode(after.slice(0, 2)).entries()) expect(value).toBeCloseTo(seen[o]!, 5);
});
