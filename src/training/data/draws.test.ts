/** How often each picture is drawn, and how many are in memory. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import type { Planes } from "../../images/pixels.ts";
import type { LatentEncoder } from "../objective/latents.ts";
import type { Noising } from "../objective/noising.ts";
import { prepareDraws, type Source } from "./draws.ts";

const size = 64;
/** Latents that are the picture's first number. */
const encoder: LatentEncoder = {
  pixelsPerLatent: 8,
  shape: () => [1, 8, 8],
  encode: async ({ data }) => data.slice(0, 1),
  sample: (encoded) => new Float32Array(64).fill(encoded[0]!),
  release: async () => {},
};

/** The draws' pictures by the number that they are filled with, and the most of them that were in memory. */
async function drawn(
  source: Pick<Source, "augmentation"> & { pictures: { value: number; repeats?: number }[] },
  draws: number,
) {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const decoded: WeakRef<Planes>[] = [];
  let most = 0;
  const count = () => {
    collect();
    most = Math.max(most, decoded.filter((one) => one.deref() !== undefined).length);
  };
  const pictures = source.pictures.map(({ value, repeats }) => ({
    prompt: "a cat",
    ...(repeats !== undefined && { repeats }),
    planes: async () => {
      const planes = { size, data: new Float32Array(3 * size * size).fill(value) };
      decoded.push(new WeakRef(planes));
      return planes;
    },
  }));
  const preparing = prepareDraws([{ purpose: "subject", flip: true, augmentation: source.augmentation, pictures }], {
    seed: 1,
    batch: 1,
    resolution: size,
    encoder,
    noising: { timesteps: 10, timestepAt: (index) => index } as Noising,
    text: () => Int32Array.of(0) as never,
    weight: () => 1,
  });
  let next = await preparing.next();
  while (!next.done) {
    // After a turn of the event loop, weak references may be released.
    await new Promise(setImmediate);
    count();
    next = await preparing.next();
  }
  const values: number[] = [];
  for (let draw = 0; draw < draws; draw++) {
    values.push((await next.value(draw))[0]!.clean[0]!);
    await new Promise(setImmediate);
    count();
  }
  return { values, most, decodings: decoded.length };
}

const many = Array.from({ length: 100 }, (_, value) => ({ value }));

describe("with a hundred pictures", () => {
  test("only one at a time is in memory while they are encoded", async () => {
    const { most, decodings } = await drawn({ augmentation: false, pictures: many }, 10);
    expect(decodings).toBe(100);
    // The previous one may still be in a register.
    expect(most).toBeLessThanOrEqual(2);
  });

  test("and augmentation, at most 32 stay in memory, and these are decoded once", async () => {
    const { most } = await drawn({ augmentation: true, pictures: many }, 100);
    expect(most).toBeGreaterThan(30);
    expect(most).toBeLessThanOrEqual(34);
    const few = await drawn({ augmentation: true, pictures: many.slice(0, 5) }, 100);
    expect(few.decodings).toBe(5);
  });
});

test("the asked share of captions is dropped", async () => {
  const texts = async (captionDropout: number | undefined): Promise<string[]> => {
    const prompts: string[] = [];
    const picture = { prompt: "a cat", planes: async () => ({ size, data: new Float32Array(3 * size * size) }) };
    const preparing = prepareDraws([{ purpose: "subject", flip: false, augmentation: false, pictures: [picture] }], {
      ...{ seed: 1, batch: 1, resolution: size, encoder, captionDropout },
      noising: { timesteps: 10, timestepAt: (index) => index } as Noising,
      text: (prompt) => {
        prompts.push(prompt);
        return Int32Array.of(0) as never;
      },
      weight: () => 1,
    });
    let next = await preparing.next();
    while (!next.done) next = await preparing.next();
    for (let draw = 0; draw < 1000; draw++) await next.value(draw);
    return prompts;
  };
  expect(new Set(await texts(undefined))).toEqual(new Set(["a cat"]));
  const dropped = (await texts(0.1)).filter((prompt) => prompt === "").length;
  // Binomial: 100 with a standard deviation of 9.5.
  expect(Math.abs(dropped - 100)).toBeLessThan(40);
  expect(new Set(await texts(1))).toEqual(new Set([""]));
});

test("a picture is drawn once per epoch, or as often as its repeats say", async () => {
  const pictures = [{ value: 1 }, { value: 2, repeats: 3 }, { value: 3, repeats: 2 }];
  const { values } = await drawn({ augmentation: false, pictures }, 12);
  for (const epoch of [values.slice(0, 6), values.slice(6)]) expect([...epoch].sort()).toEqual([1, 2, 2, 2, 3, 3]);
});
