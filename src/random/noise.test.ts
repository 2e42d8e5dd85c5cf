import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { refusal } from "../../test/refusal.ts";
import { createNoise } from "./noise.ts";

/** Drawn by parity/samplers.py from `torch.Generator().manual_seed(seed)`, one draw after another. */
const fixture: {
  seed: number;
  draws: { count: number; values?: string; tail?: string; sha256?: string }[];
}[] = JSON.parse(readFileSync(new URL("../../parity/fixtures/samplers/noise.json", import.meta.url), "utf8"));

const decode = (text: string) => new Float32Array(Uint8Array.from(Buffer.from(text, "base64")).buffer);

describe("noise", () => {
  for (const { seed, draws } of fixture) {
    it(`of seed ${seed} is PyTorch's, through draws of every size from one generator`, () => {
      const noise = createNoise(seed);
      for (const { count, values, tail, sha256 } of draws) {
        const drawn = noise.normal(count);
        expect(drawn.length).toBe(count);
        if (values !== undefined && count >= 16) {
          expect(drawn).toEqual(decode(values)); // bit for bit
        } else if (values !== undefined) {
          // Below 16 values the result depends on the C library's double-precision log, sin and cos: equal except for the last bit.
          decode(values).forEach((value, i) => {
            expect(Math.abs(drawn[i]! - value)).toBeLessThanOrEqual(2 ** -23 * Math.abs(value));
          });
        } else {
          expect(drawn.slice(-8)).toEqual(decode(tail!));
          expect(createHash("sha256").update(new Uint8Array(drawn.buffer)).digest("hex")).toBe(sha256);
        }
      }
    });
  }

  it("is the same for the same seed and different for another", () => {
    expect(createNoise(3).normal(64)).toEqual(createNoise(3).normal(64));
    expect(createNoise(3).normal(64)).not.toEqual(createNoise(4).normal(64));
  });

  it("has mean 0 and variance 1", () => {
    const values = createNoise(11).normal(1 << 18);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    // Five standard errors of 2^18 draws.
    expect(Math.abs(mean)).toBeLessThan(5 / 512);
    expect(Math.abs(variance - 1)).toBeLessThan((5 * Math.SQRT2) / 512);
  });

  it("refuses a seed that is not a whole number", () => {
    expect(() => createNoise(0.5)).toThrow(refusal("seed-invalid", "0.5"));
    expect(() => createNoise(2 ** 53)).toThrow(refusal("seed-invalid", "2^53"));
  });
});
