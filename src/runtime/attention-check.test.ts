import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { attentionIsRight } from "./attention-check.ts";
import type { Engine } from "./engine.ts";
import { startEngine } from "./node/engine.ts";
import { float32 } from "./tensor.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine({ threads: 1 });
});
afterAll(() => engine.close());

/** The engine, with `spoil` applied to every number it computes. */
const spoiled = (spoil: (value: number, at: number) => number): Engine => ({
  ...engine,
  async compile(name, outputs) {
    const session = await engine.compile(name, outputs);
    return {
      ...session,
      async run(feeds) {
        const { y } = await session.run(feeds);
        return { y: float32(y!.shape, (y!.data as Float32Array).map(spoil)) };
      },
    };
  },
});

test("the CPU's fused attention matches the definition", async () => {
  expect(await attentionIsRight(engine)).toBe(true);
});

test("rounding to float16 is not mistaken for a wrong kernel", async () => {
  const half = await startEngine({ threads: 1, target: { real: "float16", fused: new Set() } });
  expect(await attentionIsRight(half)).toBe(true);
  await half.close();
});

describe("attention is found wrong if it", () => {
  // The last of the 80 tokens' 80 numbers, which a kernel for blocks of 32 or 64 queries would leave out.
  test.each<[string, (value: number, at: number) => number]>([
    ["computes one number wrong", (value, at) => (at === 80 * 80 - 1 ? value + 0.01 : value)],
    ["leaves the last block of queries empty", (value, at) => (at >= 64 * 80 ? 0 : value)],
    ["gives NaN", (value, at) => (at === 0 ? Number.NaN : value)],
  ])("%s", async (_, spoil) => {
    expect(await attentionIsRight(spoiled(spoil))).toBe(false);
  });
});
