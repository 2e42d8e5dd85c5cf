import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { readAdapter } from "../src/adapters/index.ts";
import { writeEmbeddings, writeLora } from "../src/adapters/write.ts";
import { readBytes, readSafetensors, writeSafetensors } from "../src/bytes/safetensors.ts";
import type { ErrorCode } from "../src/errors/index.ts";
import type { Model } from "../src/families/family.ts";
import { openModel } from "../src/families/open-model.ts";
import type { Row } from "../src/guidance/guidance.ts";
import {
  type GuidanceName,
  guidanceMethods,
  type LoadOptions,
  type PictureRequest,
  Pipeline,
  readFloat32,
} from "../src/index.ts";
import { lazyDecoder } from "../src/pipelines/decoder.ts";
import { buildPredictor } from "../src/pipelines/predictor.ts";
import { type Engine, startEngine } from "../src/runtime/index.ts";
import { bytes, lora, model, pictures, request } from "./drawing.ts";
import { fixture } from "./fixtures.ts";
import { refusal } from "./refusal.ts";

const load = (options: LoadOptions = {}) => Pipeline.load(model, { adapters: [lora], device: "cpu", ...options });

let pipeline: Pipeline;
beforeAll(async () => {
  process.env.XDG_CACHE_HOME = await mkdtemp(join(tmpdir(), "tiller-test-")); // where blends go
  pipeline = await load();
});
afterAll(() => pipeline.close());

describe("the dial", () => {
  test("at omega 1 gives exactly cfg's picture", async () => {
    const [dial, cfg] = [
      { ...request, omega: 1 },
      { ...request, guidance: "cfg" as const },
    ];
    expect(bytes(await pictures(pipeline, dial))).toEqual(bytes(await pictures(pipeline, cfg)));
  });

  test("changes the picture as omega goes to 0", async () => {
    const [a, b] = [
      await pictures(pipeline, { ...request, omega: 0 }),
      await pictures(pipeline, { ...request, omega: 1 }),
    ];
    expect(bytes(a)).not.toEqual(bytes(b));
  });

  test("costs as many rows as cfg", async () => {
    const rows = async (guidance: PictureRequest["guidance"]) => {
      for await (const event of pipeline.generate({ ...request, guidance, steps: 1 }))
        if (event.type === "step") return event.rows;
    };
    expect([await rows("pg"), await rows("cfg"), await rows("cfg+ag")]).toEqual([2, 2, 3]);
  });

  test("builds no session when omega, the prompt, the method, the sampler, the size or the number of pictures changes", async () => {
    await pictures(pipeline, request);
    const built = pipeline.sessionsBuilt;
    for (const change of [
      { omega: 0.2 },
      { prompt: "a dog" },
      { guidance: "cfg+ag" },
      { sampler: "euler" },
      { width: 96 },
      { count: 3 },
    ]) {
      await pictures(pipeline, { ...request, steps: 1, ...(change as Partial<PictureRequest>) });
    }
    expect(pipeline.sessionsBuilt).toBe(built);
  });
});

describe("fewer evaluations", () => {
  const fewer: PictureRequest = { ...request, guidanceEvery: 3, guidanceBetween: "extrapolated", guidanceTo: 0.9 };

  test("draw a different picture, with the reported mean rows", async () => {
    const rows = async (asked: PictureRequest) => {
      const seen: number[] = [];
      for await (const event of pipeline.generate(asked)) if (event.type === "step") seen.push(event.rows);
      return [...new Set(seen)];
    };
    expect(await rows(fewer)).toEqual([1 + 2 / 6]);
    const [full, held] = [await pictures(pipeline, request), await pictures(pipeline, fewer)];
    expect(bytes(held)).not.toEqual(bytes(full));
  });

  test("in a batch of four equal four single runs", async () => {
    const four = await pictures(pipeline, { ...fewer, count: 4 }, 4);
    const singles = [];
    for (const seed of [3, 4, 5, 6]) singles.push(...(await pictures(pipeline, { ...fewer, seed })));
    expect(bytes(four)).toEqual(bytes(singles));
  });

  test("with no guided step equal no guidance, bit for bit", async () => {
    const none = await pictures(pipeline, { ...request, guidance: "none" });
    expect(bytes(await pictures(pipeline, { ...request, guidanceFrom: 0.9 }))).toEqual(bytes(none));
  });

  test("are in the recipe if requested, and reproduce the picture", async () => {
    const [plain] = await pictures(pipeline, { ...request, guidanceEvery: 1, guidanceFrom: 0 });
    expect(Object.keys(plain!.recipe.request).filter((key) => /^guidance./.test(key))).toEqual([]);
    const [picture] = await pictures(pipeline, fewer);
    expect(picture!.recipe.request).toMatchObject({
      guidanceEvery: 3,
      guidanceBetween: "extrapolated",
      guidanceTo: 0.9,
    });
    expect(bytes(await pictures(pipeline, picture!.recipe.request))).toEqual(bytes([picture!]));
  });
});

describe("a batch", () => {
  test("of four gives the pictures of four single runs", async () => {
    const four = await pictures(pipeline, { ...request, count: 4 }, 4);
    const singles = [];
    for (const seed of [3, 4, 5, 6]) singles.push(...(await pictures(pipeline, { ...request, seed })));
    expect(four.map(({ seed }) => seed)).toEqual([3, 4, 5, 6]);
    expect(bytes(four)).toEqual(bytes(singles));
  });

  test("that does not divide the count gives the same pictures", async () => {
    const wanted = { ...request, count: 3 };
    expect(bytes(await pictures(pipeline, wanted, 2))).toEqual(bytes(await pictures(pipeline, wanted, 3)));
  });
});

describe("adapters", () => {
  test("of attention modules come and go without a new session", async () => {
    const own = await load();
    try {
      const first = await pictures(own, request);
      const built = own.sessionsBuilt;
      await own.setAdapters([
        fixture("adapters/lora-diffusers-old.safetensors"),
        `${fixture("adapters/ti.safetensors")}:0.5`,
      ]);
      const other = await pictures(own, request);
      await own.setAdapters([lora]);
      expect(bytes(await pictures(own, request))).toEqual(bytes(first));
      expect(bytes(other)).not.toEqual(bytes(first));
      expect(own.sessionsBuilt).toBe(built);
    } finally {
      await own.close();
    }
  });

  test("with convolutions extend the networks once, on first use", async () => {
    const own = await load();
    try {
      await own.setAdapters([fixture("adapters/lora-kohya.safetensors")]);
      const built = own.sessionsBuilt;
      await own.setAdapters([lora]);
      await own.setAdapters([fixture("adapters/lora-kohya.safetensors")]);
      expect(own.sessionsBuilt).toBe(built);
    } finally {
      await own.close();
    }
  });

  test("give the same picture as merged weights", async () => {
    const merged = await load({ adapters: [await mergedModelAdapter()] });
    try {
      // The merged matrices replace keys and values; a different summation order changes few pixels by 1.
      const cfg: PictureRequest = { ...request, guidance: "cfg" };
      const found = (await pictures(merged, cfg))[0]!.data;
      const own = await load({ adapters: [await keysAndValuesOf(lora)] });
      const expected = (await pictures(own, cfg))[0]!.data;
      await own.close();
      const far = found.filter((value, i) => Math.abs(value - expected[i]!) > 1).length;
      expect(far / found.length).toBeLessThan(0.001);
    } finally {
      await merged.close();
    }
  });

  test("at strength 0 give the base model's picture", async () => {
    const cfg: PictureRequest = { ...request, guidance: "cfg" };
    const [off, none] = [await load({ adapters: [`${lora}:0`] }), await load({ adapters: [] })];
    expect(bytes(await pictures(off, cfg))).toEqual(bytes(await pictures(none, cfg)));
    await Promise.all([off.close(), none.close()]);
  });

  test("that are refused leave the previous ones", async () => {
    const own = await load();
    try {
      const before = bytes(await pictures(own, request));
      await expect(own.setAdapters([await loraOnTokenTable()])).rejects.toThrow(
        refusal("adapter-idle-site", "token_embedding"),
      );
      expect(bytes(await pictures(own, request))).toEqual(before);
      await own.setAdapters([]);
      expect(bytes(await pictures(own, request))).not.toEqual(before);
    } finally {
      await own.close();
    }
  });

  test("that define the same token are refused, whatever its case", async () => {
    const [one, other] = [await embedding("one", "<Cat>"), await embedding("other", "<cat>")];
    await expect(load({ adapters: [one, other] })).rejects.toThrow(refusal("token-defined-twice", one, other, "<Cat>"));
  });

  test("that are embeddings have no strength, and a warning says so", async () => {
    const file = await embedding("one", "<cat>");
    const own = await load({ adapters: [`${file}:0.4`, `${lora}:0.5`] });
    const warnings: string[] = [];
    for await (const event of own.generate({ ...request, prompt: "a <cat>", steps: 1 })) {
      if (event.type === "warning") warnings.push(event.message);
    }
    await own.close();
    expect(warnings).toEqual([`the strength 0.4 of ${file} has no effect: it is an embedding`]);
  });

  test("of another base model are refused with the first key that the model lacks", async () => {
    const file = fixture("adapters/lora-sd21.safetensors");
    await expect(load({ adapters: [file] })).rejects.toThrow(refusal("adapter-other-model", file, ".attentions."));
  });
});

describe("a full fine-tune with its base", () => {
  test("at omega 1 equals cfg on the fine-tune, at omega 0 has the base's weak rows, and without these equals no guidance", async () => {
    const own = await Pipeline.load(model, { base: fixture("pipelines/sd15-fp16"), device: "cpu" });
    const alone = await load({ adapters: [] });
    try {
      const cfg = bytes(await pictures(alone, { ...request, guidance: "cfg" }));
      expect(bytes(await pictures(own, { ...request, omega: 1 }))).toEqual(cfg);
      expect(bytes(await pictures(own, { ...request, omega: 0 }))).not.toEqual(cfg);
      const none = bytes(await pictures(alone, { ...request, guidance: "none" }));
      expect(bytes(await pictures(own, { ...request, omega: 0, guidanceFrom: 0.9 }))).toEqual(none);
    } finally {
      await Promise.all([own.close(), alone.close()]);
    }
  });

  test("in one file has a blend of each of its networks", async () => {
    const [tuned, base] = [await inOneFile(model), await inOneFile(fixture("pipelines/sd15-fp16"))];
    const engine = await startEngine();
    try {
      const predictor = await buildPredictor(engine, tuned, base, []);
      const rows: Row[] = [1, 0.4].map((strength) => ({ text: "cond", strength }));
      const ids = Array(77).fill(1) as number[];
      const tokens = { tokens: { inputs: { ids }, dropped: "" } };
      const method = await predictor.encode([rows], { cond: tokens, null: tokens, agnostic: tokens, plain: tokens }, 0);
      expect(method.parts).toHaveLength(2);
    } finally {
      await engine.close();
    }
  });

  test("draws for one request at a time", async () => {
    const own = await Pipeline.load(model, { base: fixture("pipelines/sd15-fp16"), device: "cpu" });
    try {
      const first = own.generate({ ...request, steps: 2 });
      await first.next();
      await expect(pictures(own, { ...request, omega: 0.2 })).rejects.toThrow(refusal("pipeline-busy"));
      await first.return();
      expect(await pictures(own, { ...request, omega: 0.2, steps: 2 })).toHaveLength(1);
    } finally {
      await own.close();
    }
  });
});

test("non-finite pictures are an error, not drawn black", async () => {
  await expect(pictures(pipeline, { ...request, scale: 1e308 })).rejects.toThrow(refusal("picture-not-finite"));
});

test("a cancelled run stops within a step", async () => {
  const controller = new AbortController();
  const steps: number[] = [];
  const run = async () => {
    for await (const event of pipeline.generate({ ...request, steps: 50 }, { signal: controller.signal })) {
      if (event.type !== "step") continue;
      steps.push(event.step);
      if (event.step === 3) controller.abort(new Error("stopped"));
    }
  };
  await expect(run()).rejects.toThrow("stopped");
  expect(steps.at(-1)).toBe(3);
});

test("a preview has the final size before the run ends", async () => {
  for await (const event of pipeline.generate(request)) {
    if (event.type !== "step" || event.step < 3) continue;
    const [preview] = await event.preview();
    expect([preview?.width, preview?.height, preview?.data.length]).toEqual([64, 64, 64 * 64 * 3]);
    break;
  }
});

test("a decoder that could not be built is retried for the next picture", async () => {
  const engine = await startEngine();
  try {
    const short: Engine = { ...engine, compile: vi.fn(engine.compile).mockRejectedValueOnce(new Error("no memory")) };
    const decoder = lazyDecoder(short, await openModel(model));
    const latents = new Float32Array(4);
    await expect(decoder.decode(latents, 1, 1)).rejects.toThrow("no memory");
    expect(await decoder.decode(latents, 1, 1)).toMatchObject({ width: 8, height: 8 });
  } finally {
    await engine.close();
  }
});

describe("the settings at which a method equals its baseline", () => {
  const ending = guidanceMethods.filter(
    ({ isBaselineAt, needs }) => isBaselineAt && !needs.includes("learned token") && !needs.includes("editing"),
  );
  const most = (a: Uint8Array, b: Uint8Array) => a.reduce((found, v, i) => Math.max(found, Math.abs(v - b[i]!)), 0);
  // A different number of rows changes the shape of products and so their rounding: by at most 1/255.
  test.each(ending.map(({ name, baseline, isBaselineAt }) => [name, isBaselineAt, baseline] as const))(
    "%s at %j draws the picture of %s",
    async (guidance, at, baseline) => {
      const [one] = await pictures(pipeline, { ...request, ...at, guidance: guidance as GuidanceName });
      const [other] = await pictures(pipeline, { ...request, guidance: baseline as GuidanceName });
      expect(most(one!.data, other!.data)).toBeLessThanOrEqual(1);
    },
  );

  test("output-interpolation draws pg's picture at omega 0, and a different one in between", async () => {
    const at = async (guidance: GuidanceName, omega: number) =>
      (await pictures(pipeline, { ...request, guidance, omega }))[0]!.data;
    expect(most(await at("output-interpolation", 0), await at("pg", 0))).toBeLessThanOrEqual(1);
    expect(most(await at("output-interpolation", 0.5), await at("pg", 0.5))).toBeGreaterThan(1);
  });
});

describe("a wrong request is refused:", () => {
  test.each<[object, ErrorCode, ...string[]]>([
    [{ width: 100 }, "setting-invalid", "width", "8"],
    [{ omega: Number.NaN }, "setting-invalid", "omega"],
    [{ steps: 0 }, "setting-invalid", "steps"],
    [{ steps: 1001 }, "setting-invalid", "steps"],
    [{ guidance: "sag" }, "learned-token-missing"],
    [{ guidance: "cfg+ag", mix: "product" }, "setting-invalid", "mix"],
    [{ guidance: "sag", sagThreshold: 1.1 }, "setting-invalid", "sagThreshold"],
    [{ guidanceEvery: 1.5 }, "setting-invalid", "guidanceEvery"],
    [{ guidanceEvery: 0 }, "setting-invalid", "guidanceEvery"],
    [{ guidanceFrom: 0.5, guidanceTo: 0.5 }, "setting-invalid", "guidanceFrom 0.5", "0.5"],
    [{ guidance: "none", guidanceEvery: 2 }, "setting-invalid", "guidanceEvery", "none"],
    [{ guidance: "sag", guidanceTo: 0.5 }, "setting-invalid", "guidanceTo", "sag"],
    [{ sampler: "ddim", karras: true }, "karras-unsupported", "ddim"],
    [{ scales: 3 }, "setting-invalid", "scales"],
    [{ clipSkip: 12 }, "clip-skip-too-large", "12"],
  ])("%j", async (change, code, ...facts) => {
    const run = pictures(pipeline, { ...request, ...(change as Partial<PictureRequest>) });
    await expect(run).rejects.toThrow(refusal(code, ...facts));
  });

  test("but an omega outside 0 to 1 is a warning", async () => {
    const warnings: string[] = [];
    for await (const event of pipeline.generate({ ...request, omega: 1.5, steps: 1 })) {
      if (event.type === "warning") warnings.push(event.message);
    }
    expect(warnings).toEqual([expect.stringMatching(/omega 1.5 is outside 0 to 1/)]);
  });
});

/** The LoRA's keys and values only, as a LoRA file. */
async function keysAndValuesOf(file: string): Promise<string> {
  const { adapter } = await opened(file);
  const tensors = [];
  for (const [module, { down, up, scale }] of adapter.lowRank.get("unet")!) {
    if (!/attn2\.to_[kv]$/.test(module)) continue;
    const [rank, width] = down.shape as [number, number];
    tensors.push(tensor(`unet.${module}.lora_A.weight`, [rank, width], down.data));
    tensors.push(
      tensor(
        `unet.${module}.lora_B.weight`,
        [up.shape[0]!, rank],
        up.data.map((v) => v * scale),
      ),
    );
  }
  return save("keys-and-values.safetensors", tensors);
}

/** The same keys and values merged into the base model's matrices, as a Custom Diffusion file. */
async function mergedModelAdapter(): Promise<string> {
  const { adapter, source } = await opened(lora);
  const tensors = [];
  for (const [module, { down, up, scale }] of adapter.lowRank.get("unet")!) {
    const name = /^(.*\.attn2)\.(to_[kv])$/.exec(module);
    if (!name) continue;
    const weight = await readFloat32(source.components.get("unet")!.weights.get(`${module}.weight`)!);
    const [rank, width] = down.shape as [number, number];
    const merged = weight.map((w, i) => {
      const [o, c] = [Math.floor(i / width), i % width];
      let sum = 0;
      for (let r = 0; r < rank; r++) sum += up.data[o * rank + r]! * down.data[r * width + c]!;
      return w + scale * sum;
    });
    tensors.push(tensor(`${name[1]}.processor.${name[2]}_custom_diffusion.weight`, [up.shape[0]!, width], merged));
  }
  return save("merged.safetensors", tensors);
}

/** A LoRA on an embedding table, which the network does not multiply with. */
async function loraOnTokenTable(): Promise<string> {
  const path = "text_model.embeddings.token_embedding";
  const [out, width] = (await openModel(model)).components.get("text_encoder")!.weights.get(`${path}.weight`)!
    .shape as [number, number];
  const factor = (shape: readonly number[]) => ({ shape, data: new Float32Array(shape[0]! * shape[1]!) });
  const file = await newFile("token-table.safetensors");
  const low = { down: factor([1, width]), up: factor([out, 1]), scale: 1 };
  await writeLora(file, new Map([["text_encoder", new Map([[path, low]])]]));
  return file;
}

async function embedding(name: string, token: string): Promise<string> {
  const table = (await openModel(model)).components
    .get("text_encoder")!
    .weights.get("text_model.embeddings.token_embedding.weight")!;
  const file = await newFile(`${name}.safetensors`);
  await writeEmbeddings(file, new Map([[token, [new Float32Array(table.shape[1]!)]]]));
  return file;
}

/** A model with U-Net and text encoder in a single file. */
async function inOneFile(folder: string): Promise<Model> {
  const source = await openModel(folder, { variant: folder.endsWith("fp16") ? "fp16" : undefined });
  const tensors = [];
  for (const part of source.steered) {
    for (const [key, ref] of source.components.get(part)!.weights) {
      tensors.push({ name: `${part}.${key}`, dtype: ref.dtype, shape: ref.shape, data: await readBytes(ref) });
    }
  }
  const file = await save("model.safetensors", tensors);
  const { tensors: refs } = await readSafetensors(file);
  const components = new Map(source.components);
  for (const part of source.steered) {
    const own = [...refs].filter(([name]) => name.startsWith(`${part}.`));
    const weights = new Map(own.map(([name, ref]) => [name.slice(part.length + 1), ref]));
    components.set(part, { config: source.components.get(part)!.config, weights });
  }
  return { ...source, components };
}

async function opened(file: string) {
  const source = await openModel(model);
  const adapter = await readAdapter(file, source);
  return { source, adapter };
}

const tensor = (name: string, shape: readonly number[], data: Float32Array) => ({
  name,
  dtype: "float32" as const,
  shape,
  data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
});

async function save(name: string, tensors: Parameters<typeof writeSafetensors>[1]): Promise<string> {
  const file = await newFile(name);
  await writeSafetensors(file, tensors);
  return file;
}

const newFile = async (name: string): Promise<string> => join(await mkdtemp(join(tmpdir(), "tiller-test-")), name);
