/** Adapters in every spelling: read, refused if they do not fit, stacked and written. The base is a tiny SD 1.5. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { refusal } from "../../test/refusal.ts";
import { readFloat32, readSafetensors, writeSafetensors } from "../bytes/safetensors.ts";
import { type ErrorCode, TillerError } from "../errors/index.ts";
import { openModel } from "../families/open-model.ts";
import type { Adapter, Factor } from "./adapter.ts";
import {
  type LowRank,
  readAdapter,
  stackSite,
  strengthRow,
  writeCustomDiffusion,
  writeEmbeddings,
  writeLora,
} from "./index.ts";
import type { Base } from "./kind.ts";

let folder: string;
let base: Base;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-adapters-"));
  base = await openModel(fileURLToPath(new URL("../../parity/fixtures/pipelines/sd15", import.meta.url)));
});
afterAll(() => rm(folder, { recursive: true }));

const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

/** Reproducible values without a pattern. */
const numbers = (shape: readonly number[], seed: number): Factor => ({
  shape,
  data: Float32Array.from({ length: size(shape) }, (_, i) => Math.fround(Math.sin(seed * 37 + i * 0.7))),
});

let serial = 0;
async function fileWith(tensors: Readonly<Record<string, Factor>>, metadata = {}): Promise<string> {
  const file = join(folder, `adapter-${serial++}.safetensors`);
  const entries = Object.entries(tensors).map(([name, { shape, data }]) => {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    return { name, dtype: "float32" as const, shape, data: bytes };
  });
  await writeSafetensors(file, entries, metadata);
  return file;
}
const read = async (tensors: Readonly<Record<string, Factor>>, metadata = {}) =>
  readAdapter(await fileWith(tensors, metadata), base);

const toQ = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q";
const toOut = "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_out.0";
const textQ = "text_model.encoder.layers.1.self_attn.q_proj";
const conv = "up_blocks.2.resnets.0.conv1";
const weightOf = (component: string, module: string) => base.components.get(component)!.weights.get(`${module}.weight`);
const shapeOf = (module: string) => (weightOf("unet", module) ?? weightOf("text_encoder", module))!.shape;
const none: ReadonlyMap<string, LowRank> = new Map();
/** An adapter's changes by component. */
const partsOf = ({ lowRank }: Pick<Adapter, "lowRank">) => ({
  unet: lowRank.get("unet") ?? none,
  textEncoder: lowRank.get("text_encoder") ?? none,
});

/** Rank-2 factors that fit a module. */
function factors(module: string, seed: number): { down: Factor; up: Factor } {
  const [out, ...inner] = shapeOf(module) as [number, ...number[]];
  const kernel = inner.length > 1 ? [1, 1] : [];
  return { down: numbers([2, ...inner], seed), up: numbers([out, 2, ...kernel], seed + 1) };
}

const values = ({ down, up, scale }: LowRank) => ({ down: [...down.data], up: [...up.data], scale });
const expected = (module: string, seed: number, scale = 1) => {
  const { down, up } = factors(module, seed);
  return { down: [...down.data], up: [...up.data], scale };
};

describe("a LoRA reads the same in every key spelling:", () => {
  const flat = (module: string) => module.replaceAll(".", "_");
  test.each<[string, (module: string) => readonly [string, string]]>([
    ["PEFT", (m) => [`unet.${m}.lora_A.weight`, `unet.${m}.lora_B.weight`]],
    ["PEFT with an adapter's name", (m) => [`unet.${m}.lora_A.default.weight`, `unet.${m}.lora_B.default.weight`]],
    [
      "a PEFT model's own folder",
      (m) => [`base_model.model.${m}.lora_A.weight`, `base_model.model.${m}.lora_B.weight`],
    ],
    ["Diffusers", (m) => [`unet.${m}.lora.down.weight`, `unet.${m}.lora.up.weight`]],
    [
      "older Diffusers",
      (m) => {
        const [, attention, name] = /^(.*)\.(to_\w+)(?:\.0)?$/.exec(m)!;
        return [
          `unet.${attention}.processor.${name}_lora.down.weight`,
          `unet.${attention}.processor.${name}_lora.up.weight`,
        ];
      },
    ],
    ["no component", (m) => [`${m}.lora.down.weight`, `${m}.lora.up.weight`]],
    ["kohya", (m) => [`lora_unet_${flat(m)}.lora_down.weight`, `lora_unet_${flat(m)}.lora_up.weight`]],
  ])("%s", async (_, spell) => {
    const tensors: Record<string, Factor> = {};
    for (const [i, module] of [toQ, toOut].entries()) {
      const { down, up } = factors(module, 10 * i);
      const [a, b] = spell(module);
      Object.assign(tensors, { [a]: down, [b]: up });
    }
    const { unet, textEncoder } = partsOf(await read(tensors));
    expect([...unet.keys()].sort()).toEqual([toOut, toQ].sort());
    expect(textEncoder.size).toBe(0);
    expect(values(unet.get(toQ)!)).toEqual(expected(toQ, 0));
    expect(values(unet.get(toOut)!)).toEqual(expected(toOut, 10));
  });

  test.each([
    ["PEFT", `text_encoder.${textQ}.lora_A.weight`, `text_encoder.${textQ}.lora_B.weight`],
    [
      "Diffusers",
      `text_encoder.${textQ}.lora_linear_layer.down.weight`,
      `text_encoder.${textQ}.lora_linear_layer.up.weight`,
    ],
    [
      "older Diffusers",
      "text_encoder.text_model.encoder.layers.1.self_attn.to_q_lora.down.weight",
      "text_encoder.text_model.encoder.layers.1.self_attn.to_q_lora.up.weight",
    ],
    [
      "kohya",
      `lora_te_${textQ.replaceAll(".", "_")}.lora_down.weight`,
      `lora_te_${textQ.replaceAll(".", "_")}.lora_up.weight`,
    ],
  ])("the text encoder's in %s", async (_, a, b) => {
    const { down, up } = factors(textQ, 3);
    const { unet, textEncoder } = partsOf(await read({ [a]: down, [b]: up }));
    expect(unet.size).toBe(0);
    expect(values(textEncoder.get(textQ)!)).toEqual(expected(textQ, 3));
  });

  test.each([
    ["the middle block", "middle_block_1_transformer_blocks_0_attn1_to_q", toQ],
    ["the first convolution", "input_blocks_0_0", "conv_in"],
    ["a residual block", "input_blocks_1_0_in_layers_2", "down_blocks.0.resnets.0.conv1"],
    ["a downsampler", "input_blocks_2_0_op", "down_blocks.0.downsamplers.0.conv"],
    ["an output block", "output_blocks_4_0_out_layers_3", "up_blocks.2.resnets.0.conv2"],
  ])("kohya's in LDM's numbering: %s", async (_, name, module) => {
    const { down, up } = factors(module, 5);
    const { unet } = partsOf(
      await read({
        [`lora_unet_${name}.lora_down.weight`]: down,
        [`lora_unet_${name}.lora_up.weight`]: up,
      }),
    );
    expect([...unet.keys()]).toEqual([module]);
    expect(values(unet.get(module)!)).toEqual(expected(module, 5));
  });
});

describe("a LoRA's scale", () => {
  const keys = (m: string) => [`unet.${m}.lora_A.weight`, `unet.${m}.lora_B.weight`] as const;
  const one = () => {
    const { down, up } = factors(toQ, 1);
    const [a, b] = keys(toQ);
    return { [a]: down, [b]: up };
  };
  const scale = async (tensors: Record<string, Factor>, metadata = {}) =>
    partsOf(await read(tensors, metadata)).unet.get(toQ)!.scale;

  test("is 1 without an alpha", async () => expect(await scale(one())).toBe(1));
  test("is kohya's alpha over the rank; an alpha of 0 means the rank", async () => {
    expect(await scale({ ...one(), [`unet.${toQ}.alpha`]: { shape: [], data: Float32Array.of(0.5) } })).toBe(0.25);
    expect(await scale({ ...one(), [`unet.${toQ}.alpha`]: { shape: [], data: Float32Array.of(0) } })).toBe(1);
  });
  test("may be stored as an integer, and weights as 8-bit floats", async () => {
    const file = join(folder, "types.safetensors");
    const [out, width] = shapeOf(toQ) as [number, number];
    const [a, b] = keys(toQ);
    const bytes = (count: number) => new Uint8Array(count).fill(0x38); // 1 in E4M3
    await writeSafetensors(file, [
      { name: a, dtype: "float8_e4m3", shape: [2, width], data: bytes(2 * width) },
      { name: b, dtype: "float8_e4m3", shape: [out, 2], data: bytes(2 * out) },
      { name: `unet.${toQ}.alpha`, dtype: "int16", shape: [], data: new Uint8Array(Int16Array.of(6).buffer) },
    ]);
    const { down, up, scale } = partsOf(await readAdapter(file, base)).unet.get(toQ)!;
    expect([scale, new Set([...down.data, ...up.data])]).toEqual([3, new Set([1])]);
    await writeSafetensors(file, [
      { name: a, dtype: "int8", shape: [2, width], data: bytes(2 * width) },
      { name: b, dtype: "int8", shape: [out, 2], data: bytes(2 * out) },
    ]);
    await expect(readAdapter(file, base)).rejects.toThrow(refusal("dtype-unsupported", file, a));
  });
  test("comes from lora_adapter_metadata", async () => {
    const metadata = (more = {}) => ({
      lora_adapter_metadata: JSON.stringify({ "unet.r": 2, "unet.lora_alpha": 8, ...more }),
    });
    expect(await scale(one(), metadata())).toBe(4);
    expect(await scale(one(), metadata({ "unet.use_rslora": true }))).toBeCloseTo(8 / Math.sqrt(2), 6);
    expect(await scale(one(), metadata({ "unet.alpha_pattern": { [toQ]: 3 } }))).toBe(1.5);
  });
});

describe("refused, naming file and key:", () => {
  const a = `unet.${toQ}.lora_A.weight`;
  const b = `unet.${toQ}.lora_B.weight`;
  const good = () => ({ [a]: factors(toQ, 1).down, [b]: factors(toQ, 1).up });
  const number = numbers([1], 1);
  test.each<[string, () => Record<string, Factor>, ErrorCode, ...string[]]>([
    [
      "DoRA's magnitude with the wrong width",
      () => ({ ...good(), [`unet.${toQ}.lora_magnitude_vector`]: number }),
      "adapter-other-model",
      "lora_magnitude_vector",
    ],
    [
      "half a LoHa",
      () => ({ [`unet.${toQ}.hada_w1_a`]: numbers([24, 2], 1) }),
      "adapter-damaged",
      "hada_w1_a",
      "hada_w1_b",
    ],
    ["half a LoKr", () => ({ [`unet.${toQ}.lokr_w1`]: numbers([4, 4], 1) }), "adapter-damaged", "lokr_w1", "lokr_w2_a"],
    ["OFT", () => ({ [`base_model.model.${toQ}.oft_R.weight`]: number }), "adapter-unsupported", "an OFT adapter"],
    ["BOFT", () => ({ [`base_model.model.${toQ}.boft_R`]: number }), "adapter-unsupported", "a BOFT adapter"],
    [
      "Flux's",
      () => ({ "transformer.single_transformer_blocks.3.attn.to_q.lora_A.weight": number }),
      "adapter-unsupported",
      "a LoRA for Flux",
    ],
    [
      "Wan's LoKr",
      () => ({ "diffusion_model.blocks.3.cross_attn.k.lokr_w1": number }),
      "adapter-unsupported",
      "a LoKr for Wan",
    ],
    [
      "a whole checkpoint",
      () => ({ "model.diffusion_model.out.2.weight": number }),
      "adapter-unsupported",
      "whole checkpoint",
      "--model",
    ],
    [
      "SDXL",
      () => ({ "lora_te2_text_model_encoder_layers_0_mlp_fc1.lora_down.weight": number }),
      "adapter-other-model",
      "Stable Diffusion XL",
      "sd15",
    ],
    [
      "a transformer's",
      () => ({ "transformer.transformer_blocks.0.attn1.to_q.lora_A.weight": number }),
      "adapter-other-model",
      "transformer",
    ],
    ["half a pair", () => ({ [a]: factors(toQ, 1).down }), "adapter-damaged", a],
    ["unequal ranks", () => ({ ...good(), [b]: numbers([24, 3], 1) }), "adapter-damaged", "2", "3"],
    [
      "a LoRA for another base model",
      () => ({ [a]: numbers([2, 999], 1), [b]: factors(toQ, 1).up }),
      "adapter-other-model",
      a,
      toQ,
      "[2, 999]",
      "[2, 24]",
    ],
    [
      "a module the model lacks",
      () => ({ ...good(), "unet.nowhere.lora_A.weight": number }),
      "adapter-other-model",
      "unet.nowhere.lora_A.weight",
    ],
    [
      "an unknown key",
      () => ({ ...good(), "state.epoch": number }),
      "adapter-unsupported",
      "state.epoch",
      "does not know",
    ],
    [
      "one module twice",
      () => ({ ...good(), [`unet.${toQ}.lora.down.weight`]: factors(toQ, 1).down }),
      "adapter-damaged",
      toQ,
    ],
    [
      "NaN",
      () => ({ ...good(), [b]: { shape: [24, 2], data: new Float32Array(48).fill(Number.NaN) } }),
      "adapter-not-finite",
      b,
    ],
    [
      "an embedding with the wrong width",
      () => ({ "<cat>": numbers([2, 768], 1) }),
      "adapter-other-model",
      "<cat>",
      "[2, 768]",
      "32",
    ],
    ["SDXL's embedding", () => ({ clip_g: numbers([1, 1280], 1) }), "adapter-other-model", "clip_g"],
    ["nothing", () => ({}), "adapter-empty"],
  ])("%s", async (_, tensors, code, ...facts) => {
    const file = await fileWith(tensors());
    await expect(readAdapter(file, base)).rejects.toThrow(refusal(code, file, ...facts));
  });

  test.each([
    ["that is not JSON", "{"],
    ["with a wrong type", JSON.stringify({ "unet.r": "four" })],
  ])("PEFT's settings %s", async (_, settings) => {
    const file = await fileWith(good(), { lora_adapter_metadata: settings });
    await expect(readAdapter(file, base)).rejects.toThrow(refusal("adapter-metadata", file));
  });

  test("any keys and shapes: nothing but a TillerError is thrown", async () => {
    const word = fc.constantFrom(
      "unet",
      toQ,
      textQ,
      "lora_A",
      "lora_down",
      "weight",
      "alpha",
      "<cat>",
      "clip_l",
      "emb_params",
      "processor",
      "to_k_custom_diffusion",
      "lora_unet_mid_block",
      "lycoris_mid_block_attentions_0_transformer_blocks_0_attn1_to_q",
      "base_model.model",
      conv,
      "hada_w1_a",
      "hada_w1_b",
      "hada_w2_a",
      "hada_w2_b",
      "hada_t1",
      "lokr_w1",
      "lokr_w2_a",
      "lokr_w2_b",
      "lokr_t2",
      "dora_scale",
      "lora_up",
      "lora_mid",
      "a1",
      "a2",
      "b1",
      "b2",
      "diff",
      "diff_b",
      "w_norm",
      "ia3_l",
      "on_input",
      "bundle_emb.cat",
      "oft_blocks",
      "",
    );
    const key = fc.array(word, { minLength: 1, maxLength: 4 }).map((words) => words.join("."));
    const shape = fc.array(fc.integer({ min: 0, max: 33 }), { maxLength: 4 }).filter((s) => size(s) < 50_000);
    const file = fc.array(fc.tuple(key, shape), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(file, async (entries) => {
        const tensors = Object.fromEntries(entries.filter(([k]) => k !== "").map(([k, s]) => [k, numbers(s, 1)]));
        await read(tensors).catch((error) => expect(error).toBeInstanceOf(TillerError));
      }),
      { numRuns: 200 },
    );
  });
});

describe("stacked", () => {
  const lowRank = (out: number, inner: readonly number[], rank: number, seed: number, scale: number): LowRank => ({
    down: numbers([rank, ...inner], seed),
    up: numbers([out, rank], seed + 1),
    scale,
  });
  const adapterWith = (
    unet: readonly (readonly [string, LowRank])[],
    replaced: readonly (readonly [string, Factor])[] = [],
  ) =>
    ({
      lowRank: new Map([["unet", new Map(unet)]]),
      full: new Map([["unet", new Map(replaced)]]),
      differences: new Map(),
      tokens: new Map(),
    }) as unknown as Adapter;
  /** sum over columns r of strength_r * down_r x * up_r, for one pixel or token x of `inner` numbers. */
  const change = (
    { rank, down, up }: { rank: number; down: Float32Array; up: Float32Array },
    strength: Float32Array,
    x: readonly number[],
    out: number,
    kind: "linear" | "conv",
  ) =>
    Array.from({ length: out }, (_, o) => {
      let sum = 0;
      for (let r = 0; r < rank; r++) {
        let inner = 0;
        for (const [i, v] of x.entries())
          inner += v * (kind === "conv" ? down[r * x.length + i]! : down[i * rank + r]!);
        sum += strength[r]! * inner * (kind === "conv" ? up[o * rank + r]! : up[r * out + o]!);
      }
      return sum;
    });

  test.each([
    ["linear", toQ],
    ["conv", conv],
  ] as const)("%s changes add up, each with its own strength and the row's share", async (kind, module) => {
    const weight = weightOf("unet", module)!;
    const [out, ...inner] = weight.shape as [number, ...number[]];
    const [first, second] = [lowRank(out, inner, 2, 1, 0.5), lowRank(out, inner, 3, 5, 2)];
    const stacked = await stackSite(
      [adapterWith([[module, first]]), adapterWith([]), adapterWith([[module, second]])],
      "unet",
      module,
      { kind, weight },
    );
    expect([stacked.rank, [...stacked.owner]]).toEqual([5, [0, 0, 2, 2, 2]]);
    const strengths = [0.7, 9, 0.4];
    const x = [...numbers([size(inner)], 11).data];
    const found = change(stacked, strengthRow(stacked.owner, strengths, 0.6), x, out, kind);
    const due = Array.from({ length: out }, (_, o) => {
      let sum = 0;
      for (const [{ down, up, scale }, s] of [
        [first, 0.7],
        [second, 0.4],
      ] as const) {
        const rank = down.shape[0]!;
        for (let r = 0; r < rank; r++) {
          const a = x.reduce((total, v, i) => total + v * down.data[r * x.length + i]!, 0);
          sum += 0.6 * s * scale * a * up.data[o * rank + r]!;
        }
      }
      return sum;
    });
    for (const [o, value] of found.entries()) expect(value).toBeCloseTo(due[o]!, 4);
  });

  test("a replaced matrix fully replaces the base's at strength 1", async () => {
    const module = "mid_block.attentions.0.transformer_blocks.0.attn2.to_k";
    const weight = weightOf("unet", module)!;
    const [out, width] = weight.shape as [number, number];
    const whole = numbers([out, width], 3);
    const stacked = await stackSite([adapterWith([], [[module, whole]])], "unet", module, { kind: "linear", weight });
    const x = [...numbers([width], 4).data];
    const before = await readFloat32(weight);
    const found = change(stacked, strengthRow(stacked.owner, [1], 1), x, out, "linear");
    for (const [o, value] of found.entries()) {
      const [w0, w1] = [before, whole.data].map((w) => x.reduce((total, v, i) => total + v * w[o * width + i]!, 0));
      expect(w0! + value).toBeCloseTo(w1!, 4);
    }
  });

  test("no adapter gives rank 0, or zeros if a device cannot take an empty tensor", async () => {
    const weight = weightOf("unet", toQ)!;
    expect((await stackSite([], "unet", toQ, { kind: "linear", weight })).rank).toBe(0);
    const padded = await stackSite([], "unet", toQ, { kind: "linear", weight }, 1);
    expect([padded.rank, padded.down.some((v) => v !== 0), [...strengthRow(padded.owner, [], 1)]]).toEqual([
      1,
      false,
      [0],
    ]);
  });
});

describe("written", () => {
  const lora = (alpha: number) => {
    const of = (module: string, seed: number): [string, LowRank] => [
      module,
      { ...factors(module, seed), scale: alpha / 2 },
    ];
    return new Map([
      ["unet", new Map([of(toQ, 1), of(toOut, 2)])],
      ["text_encoder", new Map([of(textQ, 3)])],
    ]);
  };

  test("a LoRA reads back unchanged, alpha included, with PEFT's keys and metadata", async () => {
    const file = join(folder, "written.safetensors");
    const written = lora(3);
    await writeLora(file, written, { note: "mine" });
    const adapter = await readAdapter(file, base);
    for (const [component, modules] of written) {
      for (const [module, low] of modules)
        expect(values(adapter.lowRank.get(component)!.get(module)!)).toEqual(values(low));
    }
    const { tensors, metadata } = await readSafetensors(file);
    expect([...tensors.keys()].sort()).toEqual(
      [`text_encoder.${textQ}`, `unet.${toOut}`, `unet.${toQ}`].flatMap((m) => [
        `${m}.lora_A.weight`,
        `${m}.lora_B.weight`,
      ]),
    );
    expect(metadata).toMatchObject({ format: "pt", note: "mine" });
    expect(JSON.parse(metadata.lora_adapter_metadata!)).toMatchObject({
      "unet.r": 2,
      "unet.lora_alpha": 3,
      "unet.target_modules": ["to_out.0", "to_q"],
      "text_encoder.target_modules": ["q_proj"],
    });
  });

  test("patterns for other ranks and alphas match in every version of Transformers", async () => {
    const fc1 = "text_model.encoder.layers.0.mlp.fc1";
    const [out, width] = shapeOf(fc1) as [number, number];
    const other: LowRank = { down: numbers([3, width], 7), up: numbers([out, 3], 8), scale: 2 };
    const file = join(folder, "mixed.safetensors");
    const textEncoder = lora(3).get("text_encoder")!;
    await writeLora(file, new Map([...lora(3), ["text_encoder", new Map([...textEncoder, [fc1, other]])]]));
    const { metadata } = await readSafetensors(file);
    // Newer versions have no text_model in a module's path; PEFT matches the path's end.
    expect(JSON.parse(metadata.lora_adapter_metadata!)).toMatchObject({
      "text_encoder.rank_pattern": { "encoder.layers.0.mlp.fc1": 3 },
      "text_encoder.alpha_pattern": { "encoder.layers.0.mlp.fc1": 6 },
    });
    const adapter = await readAdapter(file, base);
    expect(values(partsOf(adapter).textEncoder.get(fc1)!)).toEqual(values(other));
    expect(values(partsOf(adapter).textEncoder.get(textQ)!)).toEqual(values(textEncoder.get(textQ)!));
  });

  test("the same LoRA gives the same bytes", async () => {
    const [one, two] = [join(folder, "one.safetensors"), join(folder, "two.safetensors")];
    await writeLora(one, lora(2));
    await writeLora(two, lora(2));
    expect((await readFile(one)).equals(await readFile(two))).toBe(true);
  });

  test("Custom Diffusion's matrices and embeddings in both formats read back unchanged", async () => {
    const module = "mid_block.attentions.0.transformer_blocks.0.attn2.to_v";
    const matrix = numbers(weightOf("unet", module)!.shape, 1);
    const file = join(folder, "custom.safetensors");
    await writeCustomDiffusion(file, new Map([[module, matrix]]));
    expect((await readAdapter(file, base)).full.get("unet")!.get(module)).toEqual(matrix);
    const vectors = [numbers([32], 1).data, numbers([32], 2).data];
    const token = join(folder, "token.safetensors");
    await writeEmbeddings(token, new Map([["<cat>", vectors]]));
    expect((await readAdapter(token, base)).tokens.get("text_encoder")).toEqual(new Map([["<cat>", vectors]]));
    await writeEmbeddings(token, new Map([["clip_l", vectors]]));
    expect((await readAdapter(token, base)).tokens.get("text_encoder")).toEqual(
      new Map([
        ["<s0>", [vectors[0]]],
        ["<s1>", [vectors[1]]],
      ]),
    );
  });
});

test.each(["embedding.pt", "embedding-old.pt"])(
  "an embedding in a pickle, %s, is named after its file",
  async (name) => {
    const file = fileURLToPath(new URL(`../../parity/fixtures/torch/${name}`, import.meta.url));
    const { format, tokens } = await readAdapter(file, base);
    expect(format).toBe("textual-inversion");
    const [[token, vectors]] = [...tokens.get("text_encoder")!] as [[string, Float32Array[]]];
    expect(token).toBe(name.slice(0, -3));
    expect(vectors.map((row) => row[1])).toEqual([1 / 64, 33 / 64]);
  },
);
