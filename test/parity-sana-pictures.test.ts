/** Whole pictures of a tiny SANA against SanaPipeline and a plain loop over its networks: fixtures of parity/sana_pictures.py. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { defaultInstruction } from "../src/families/sana/instruction.ts";
import { type PictureEvent, type PictureRequest, Pipeline } from "../src/index.ts";
import { fixture, reference } from "./fixtures.ts";
import { refusal } from "./refusal.ts";

interface Case {
  readonly name: string;
  readonly lora: string | null;
  readonly variant?: string;
  readonly request: PictureRequest;
}

const { instruction, cases } = JSON.parse(readFileSync(fixture("sana-pipeline/cases.json"), "utf8")) as {
  readonly instruction: string;
  readonly cases: readonly Case[];
};
const pictures = await reference("../sana-pipeline/pictures.safetensors");
const model = fixture("sana-pipeline/model");
const lora = fixture("sana-pipeline/lora.safetensors");

const open = (adapters: readonly string[], variant?: string) =>
  Pipeline.load(model, { adapters, variant, device: "cpu" });

async function drawn(pipeline: Pipeline, request: PictureRequest, batch?: number): Promise<PictureEvent[]> {
  const events: PictureEvent[] = [];
  for await (const event of pipeline.generate(request, { batch })) if (event.type === "picture") events.push(event);
  return events;
}

/** Share of pixels with all channels within 1 of the reference's. */
function agreement(found: Uint8Array, expected: ArrayLike<number>): number {
  let close = 0;
  for (let pixel = 0; pixel < found.length; pixel += 3) {
    if ([0, 1, 2].every((c) => Math.abs(found[pixel + c]! - expected[pixel + c]!) <= 1)) close++;
  }
  return (close * 3) / found.length;
}

test("both libraries get Tiller's default instruction", () => expect(instruction).toBe(defaultInstruction));

describe("a SANA picture from the same seed is Diffusers' picture:", () => {
  test.each(cases.map((one) => [one.name, one] as const))("%s", async (name, one) => {
    const pipeline = await open(one.lora ? [fixture(`sana-pipeline/${one.lora}`)] : [], one.variant);
    try {
      const expected = await pictures(name);
      const [found] = await drawn(pipeline, one.request);
      expect([found!.height, found!.width, 3]).toEqual([...expected.shape]);
      expect(agreement(found!.data, expected.data)).toBeGreaterThanOrEqual(0.999);
    } finally {
      await pipeline.close();
    }
  });
});

describe("one open SANA", () => {
  let pipeline: Pipeline;
  beforeAll(async () => {
    pipeline = await open([lora]);
  });
  afterAll(() => pipeline.close());
  const base: PictureRequest = { prompt: "a red cat in the snow", steps: 3, seed: 3 };
  const one = async (request: PictureRequest) => (await drawn(pipeline, request))[0]!.data;

  test("has the family's defaults", () => {
    expect(pipeline.defaults).toMatchObject({
      ...{ sampler: "dpm++", steps: 20, scale: 4.5, guidance: "pg", omega: 0 },
      ...{ width: 64, height: 64, sideMultiple: 32 },
    });
  });

  test("at omega 1 equals cfg bit for bit", async () => {
    expect(await one({ ...base, guidance: "pg", omega: 1 })).toEqual(await one({ ...base, guidance: "cfg" }));
  });

  test("draws four pictures at once as it draws each alone, bit for bit", async () => {
    const request = { ...base, guidance: "pg", omega: 0.3, count: 4 } as const;
    const together = await drawn(pipeline, request, 4);
    const apart = await drawn(pipeline, request, 1);
    expect(together.map(({ data }) => data)).toEqual(apart.map(({ data }) => data));
  });

  test("builds no network for another omega, prompt, instruction, size, or LoRA of the usual layers", async () => {
    await one(base);
    const built = pipeline.sessionsBuilt;
    await one({ ...base, omega: 0.6 });
    await one({ ...base, prompt: "a cat and ".repeat(20), negative: "a dog" });
    await one({ ...base, instruction: "", guidance: "cfg+ag" });
    await one({ ...base, width: 96 });
    await pipeline.setAdapters([]);
    await one(base);
    await pipeline.setAdapters([`${lora}:0.5`, lora]);
    await one(base);
    await pipeline.setAdapters([lora]);
    expect(pipeline.sessionsBuilt).toBe(built);
  });

  test("says which words of a long prompt do not fit", async () => {
    const words = "a very long text, ".repeat(22);
    const warnings: string[] = [];
    for await (const event of pipeline.generate({ ...base, prompt: words, steps: 1 })) {
      if (event.type === "warning") warnings.push(event.message);
    }
    expect(warnings.join()).toMatch(/prompt is longer than 300 tokens; left out: ".*text,/);
  });

  test("uses a given instruction and records it in the recipe", async () => {
    const [found] = await drawn(pipeline, { ...base, instruction: "Draw: " });
    expect(found!.recipe.request.instruction).toBe("Draw: ");
    expect(found!.data).not.toEqual(await one(base));
    expect((await drawn(pipeline, base))[0]!.recipe.request).not.toHaveProperty("instruction");
  });

  test.each([
    [{ guidance: "sag" }, "guidance-unsuited"],
    [{ sampler: "ddim" }, "sampler-unsuited"],
    [{ sampler: "euler-a" }, "sampler-unsuited"],
    [{ karras: true }, "karras-unsupported"],
    [{ width: 48 }, "size-invalid"],
    [{ clipSkip: 1 }, "clip-skip-too-large"],
  ] as const)("refuses %o", async (wrong, code) => {
    await expect(one({ ...base, ...wrong })).rejects.toThrow(refusal(code));
  });
});

test("a model without a language model takes no instruction", async () => {
  const pipeline = await Pipeline.load(fixture("pipelines/sd15"), { device: "cpu" });
  try {
    await expect(drawn(pipeline, { prompt: "a cat", steps: 1, instruction: "Draw: " })).rejects.toThrow(
      refusal("setting-invalid", "instruction"),
    );
    expect(await drawn(pipeline, { prompt: "a cat", steps: 1, instruction: "" })).toHaveLength(1);
  } finally {
    await pipeline.close();
  }
});
