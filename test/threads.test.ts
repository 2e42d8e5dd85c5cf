/**
 * Minimal versions of files from public threads, built here: each has the effect of an equivalent file, or is refused by kind.
 * docs/compatibility.md lists the correct behaviour.
 */
import { copyFile, cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Adapter, readAdapter } from "../src/adapters/index.ts";
import { readBytes, readSafetensors, writeSafetensors } from "../src/bytes/safetensors.ts";
import type { DType } from "../src/bytes/tensor-ref.ts";
import type { ErrorCode } from "../src/errors/index.ts";
import type { Model } from "../src/families/family.ts";
import { openModel } from "../src/families/open-model.ts";
import { inspect } from "../src/index.ts";
import { loadTokenizer } from "../src/text/tokenizer.ts";
import { fixture } from "./fixtures.ts";
import { refusal } from "./refusal.ts";

interface Tensor {
  readonly shape: readonly number[];
  readonly dtype?: DType;
  readonly bytes?: Uint8Array;
}
type Tensors = Readonly<Record<string, Tensor>>;

let folder: string;
let model: Model;
let serial = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-threads-"));
  model = await openModel(fixture("pipelines/sd15"));
});
afterAll(() => rm(folder, { recursive: true }));

/** A tensor whose numbers depend only on its shape, or a single number. */
const of = (...shape: number[]): Tensor => ({ shape });
const number = (value: number): Tensor => ({ shape: [], bytes: new Uint8Array(Float32Array.of(value).buffer) });
const filled = (shape: readonly number[]): Uint8Array =>
  new Uint8Array(
    Float32Array.from(
      { length: shape.reduce((a, b) => a * b, 1) },
      (_, i) => Math.sin(i + shape.length) + shape[0]! / 50,
    ).buffer,
  );

async function file(name: string, tensors: Tensors, metadata: Record<string, string> = {}): Promise<string> {
  const path = join(folder, String(serial++), name);
  await mkdir(dirname(path), { recursive: true });
  const entries = Object.entries(tensors).map(([key, { shape, dtype = "float32", bytes = filled(shape) }]) => ({
    name: key,
    dtype,
    shape,
    data: bytes,
  }));
  await writeSafetensors(path, entries, metadata);
  return path;
}

/** An adapter's effect, without names. */
const effect = ({ lowRank, full, differences, tokens }: Adapter) => ({ lowRank, full, differences, tokens });
const read = async (path: string) => effect(await readAdapter(path, model));

const block = "mid_block.attentions.0.transformer_blocks.0";
const flat = `lora_unet_${block.replaceAll(".", "_")}`;
const ldm = "middle_block.1.transformer_blocks.0";
const clip = "text_model.encoder.layers.0.self_attn";

/** A low-rank pair for a module with a [24, 24] weight, or other sizes. */
const pair = (
  module: string,
  [down, up]: readonly [string, string] = ["lora_down.weight", "lora_up.weight"],
  [out, rank, inner] = [24, 2, 24],
): Tensors => ({ [`${module}.${down}`]: of(rank!, inner!), [`${module}.${up}`]: of(out!, rank!) });
const peftPair = ["lora_A.weight", "lora_B.weight"] as const;
const kohya = (alpha?: number): Tensors => ({
  ...pair(`${flat}_attn1_to_q`),
  ...(alpha !== undefined && { [`${flat}_attn1_to_q.alpha`]: number(alpha) }),
});
const kohyaText = pair("lora_te_text_model_encoder_layers_0_self_attn_q_proj", undefined, [32, 2, 32]);
const half = (values: Tensor, ones: number): Tensor => ({
  shape: values.shape,
  dtype: "float16",
  bytes: new Uint8Array(new Uint16Array(values.shape.reduce((a, b) => a * b, 1)).fill(ones).buffer),
});

describe("has the same effect as in the usual spelling:", () => {
  test.each<[thread: string, what: string, Tensors, same: Tensors, name?: string]>([
    [
      "ComfyUI-nunchaku#64",
      "ComfyUI's names: LDM's with dots, the text encoder by its position, differences of norms",
      {
        ...pair(`diffusion_model.${ldm}.attn1.to_q`),
        [`diffusion_model.${ldm}.attn1.to_q.alpha`]: number(1),
        [`diffusion_model.${ldm}.norm1.diff`]: of(24),
        [`diffusion_model.${ldm}.norm1.diff_b`]: of(24),
        ...pair(`text_encoders.clip_l.transformer.${clip}.q_proj`, undefined, [32, 2, 32]),
      },
      { ...kohya(1), [`${flat}_norm1.w_norm`]: of(24), [`${flat}_norm1.b_norm`]: of(24), ...kohyaText },
    ],
    [
      "diffusers#5977",
      "keys that name the U-Net twice",
      pair(`unet.unet.${block}.attn1.processor.to_q_lora`, ["down.weight", "up.weight"]),
      kohya(),
    ],
    [
      "diffusers#3437",
      "an alpha under the name of the old attention processors",
      {
        ...pair(`unet.${block}.attn1.processor.to_q_lora`, ["down.weight", "up.weight"]),
        [`unet.${block}.attn1.processor.to_q_lora.alpha`]: number(1),
      },
      kohya(1),
    ],
    [
      "diffusers#4287",
      "an alpha beside Diffusers' pair",
      {
        ...pair(`unet.${block}.attn1.to_q.lora`, ["down.weight", "up.weight"]),
        [`unet.${block}.attn1.to_q.alpha`]: number(1),
      },
      kohya(1),
    ],
    [
      "diffusers#11790",
      "the adapter's name in its keys",
      pair(`unet.${block}.attn1.to_q`, ["lora_A.default_0.weight", "lora_B.default_0.weight"]),
      kohya(),
    ],
    [
      "peft#626",
      "an adapter's name with a hyphen in its keys",
      pair(`unet.${block}.attn1.to_q`, ["lora_A.my-cat.weight", "lora_B.my-cat.weight"]),
      kohya(),
    ],
    ["sd-scripts#579", "an old LoRA without alphas", kohya(), kohya(2)],
    [
      "ComfyUI#13011",
      "a one-dimensional magnitude",
      { ...kohya(), [`${flat}_attn1_to_q.dora_scale`]: of(24) },
      { ...kohya(), [`${flat}_attn1_to_q.dora_scale`]: { shape: [24, 1], bytes: filled([24]) } },
    ],
    [
      "diffusers#7592",
      "magnitudes of the text encoder",
      {
        ...pair("lora_te1_text_model_encoder_layers_0_self_attn_q_proj", undefined, [32, 2, 32]),
        "lora_te1_text_model_encoder_layers_0_self_attn_q_proj.dora_scale": of(32, 1),
      },
      {
        ...pair(`text_encoder.${clip}.q_proj`, peftPair, [32, 2, 32]),
        [`text_encoder.${clip}.q_proj.lora_magnitude_vector`]: { shape: [32], bytes: filled([32, 1]) },
      },
    ],
    [
      "ComfyUI#3060",
      "magnitudes under LDM's names",
      {
        ...pair("lora_unet_output_blocks_0_0_emb_layers_1", undefined, [24, 2, 32]),
        "lora_unet_output_blocks_0_0_emb_layers_1.dora_scale": of(24, 1),
      },
      {
        ...pair("lora_unet_up_blocks_0_resnets_0_time_emb_proj", undefined, [24, 2, 32]),
        "lora_unet_up_blocks_0_resnets_0_time_emb_proj.dora_scale": of(24, 1),
      },
    ],
    [
      "diffusers#3198",
      "an embedding under emb_params",
      { emb_params: of(2, 32) },
      { cat: of(2, 32) },
      "cat.safetensors",
    ],
    [
      "OneTrainer, StableDiffusionEmbeddingSaver.py at 23df383",
      "an embedding under emp_params",
      { emp_params: of(2, 32) },
      { cat: of(2, 32) },
      "cat.safetensors",
    ],
    [
      "StableSwarmUI#371",
      "an embedding in a LoRA, as OneTrainer bundles it",
      { ...kohya(), "bundle_emb.<cat>.clip_l": of(2, 32) },
      { ...kohya(), "bundle_emb.<cat>.emb_params": of(2, 32) },
    ],
  ])("%s: %s", async (_thread, _what, tensors, same, name = "a.safetensors") => {
    expect(await read(await file(name, tensors))).toEqual(await read(await file("usual.safetensors", same)));
    expect(await inspect(await file(name, tensors))).not.toMatchObject({ kind: "tensors" });
  });
});

test("inspect reports a bundled output embedding as loading does", async () => {
  const path = await file("a.safetensors", { ...kohya(), "bundle_emb.<cat>.clip_l_out": of(2, 32) });
  expect(await inspect(path)).toMatchObject({ kind: "lora", obstacles: [expect.stringContaining("clip_l_out")] });
});

test("custom-diffusion#19: delta.bin, matrices and tokens in one, is applied as Diffusers' two files are", async () => {
  const matrices = (name: (part: string) => string) =>
    Object.fromEntries(["k", "v"].map((part) => [name(part), of(24, 32)]));
  const path = await file("delta.safetensors", {
    ...matrices((part) => `unet.${block}.attn2.to_${part}.weight`),
    "modifier_token.<new1>": of(32),
  });
  const delta = await read(path);
  expect(await inspect(path)).toMatchObject({ kind: "custom-diffusion", matrices: 2, parts: ["to_k", "to_v"] });
  const [full, tokens] = [
    await read(
      await file(
        "full.safetensors",
        matrices((part) => `unet.${block}.attn2.processor.to_${part}_custom_diffusion.weight`),
      ),
    ),
    await read(await file("new1.safetensors", { "<new1>": of(32) })),
  ];
  expect(delta).toEqual({ ...full, tokens: tokens.tokens });
});

test("LlamaFactory#1097: adapter_model.bin of older PEFT is applied with its configuration", async () => {
  const path = await file("adapter_model.bin", pair(`base_model.model.${block}.attn1.to_q`, peftPair));
  await writeFile(join(dirname(path), "adapter_config.json"), JSON.stringify({ r: 2, lora_alpha: 1 }));
  expect(await read(dirname(path))).toEqual(await read(await file("usual.safetensors", kohya(1))));
});

describe("is applied at the intended scale:", () => {
  const scales = async (path: string) =>
    [...(await readAdapter(path, model)).lowRank.values()].flatMap((modules) =>
      [...modules.values()].map(({ scale }) => scale),
    );
  const withConfig = async (
    config: unknown,
    tensors: Tensors = pair(`base_model.model.${block}.attn1.to_q`, peftPair),
  ) => {
    const path = await file("adapter_model.safetensors", tensors);
    const text = typeof config === "string" ? config : JSON.stringify(config);
    await writeFile(join(dirname(path), "adapter_config.json"), text);
    return path;
  };

  test("peft#2733: use_rslora is alpha over the root of the rank", async () => {
    expect(await scales(await withConfig({ r: 2, lora_alpha: 4, use_rslora: true }))).toEqual([4 / Math.SQRT2]);
  });

  test("diffusers#14409: mixed ranks without alphas have scale 1", async () => {
    const mixed = { ...kohya(), ...pair(`${flat}_attn1_to_k`, undefined, [24, 8, 24]) };
    expect(await scales(await file("mixed.safetensors", mixed))).toEqual([1, 1]);
  });

  test("diffusers#3748: 16-bit factors with a 32-bit alpha", async () => {
    const pairOfHalves = Object.fromEntries(Object.entries(kohya()).map(([key, ref]) => [key, half(ref, 0x3c00)]));
    const tensors = { ...pairOfHalves, [`${flat}_attn1_to_q.alpha`]: number(1) };
    const [low] = [...(await read(await file("half.safetensors", tensors))).lowRank.get("unet")!.values()];
    expect([low!.scale, ...new Set(low!.down.data)]).toEqual([0.5, 1]);
  });

  test.each<[DType, number, number]>([
    ["int64", 8, 1],
    ["int32", 4, 1],
    ["uint8", 1, 1],
    ["bool", 1, 1],
  ])("sd-scripts#146: a one-dimensional alpha of %s", async (dtype, size, value) => {
    const alpha = { shape: [1], dtype, bytes: new Uint8Array(size).fill(value, 0, 1) };
    expect(await scales(await file("alpha.safetensors", { ...kohya(), [`${flat}_attn1_to_q.alpha`]: alpha }))).toEqual([
      value / 2,
    ]);
  });

  test("ComfyUI#9753: PEFT's LoKr on SD 1.5, which also scales whole factors", async () => {
    const module = `base_model.model.${block}.attn1.to_q`;
    const halves = { [`${module}.lokr_w1`]: of(4, 4), [`${module}.lokr_w2`]: of(6, 6) };
    const at = async (alpha: number) => {
      const { differences } = await read(await withConfig({ peft_type: "LOKR", r: 4, alpha }, halves));
      return differences.get("unet")!.get(`${block}.attn1.to_q.weight`)!.data;
    };
    const [once, twice] = [await at(4), await at(8)];
    expect(once.some((value) => value !== 0)).toBe(true);
    expect(twice).toEqual(once.map((value) => 2 * value));
  });

  test("LyCORIS#216: a magnitude by input is not one by output", async () => {
    const scaled = (shape: number[]) =>
      file("dora.safetensors", {
        ...kohya(),
        [`${flat}_attn1_to_q.dora_scale`]: { shape, bytes: filled([24]) },
      });
    const [byInput, byOutput] = [await read(await scaled([1, 24])), await read(await scaled([24, 1]))];
    expect(byInput.differences).not.toEqual(byOutput.differences);
  });

  test("peft#3306: a trained bias of a layer with a LoRA is applied", async () => {
    const module = `base_model.model.${block}.attn1.to_out.0`;
    const path = await withConfig(
      { r: 2, lora_alpha: 2, bias: "lora_only" },
      { ...pair(module, peftPair), [`${module}.base_layer.bias`]: of(24) },
    );
    expect([...(await read(path)).differences.get("unet")!.keys()]).toEqual([`${block}.attn1.to_out.0.bias`]);
  });

  test("a configuration that is saved with a byte order mark", async () => {
    expect(await scales(await withConfig(`\ufeff${JSON.stringify({ r: 2, lora_alpha: 4 })}`))).toEqual([2]);
  });

  test.each<[thread: string, config: unknown, ErrorCode, string]>([
    ["peft#2184", { r: 2, lora_alpha: 4, init_lora_weights: "pissa_niter_4" }, "adapter-unsupported", "pissa_niter_4"],
    ["peft#1626", { r: 2, lora_alpha: 4, init_lora_weights: "lora_ga" }, "adapter-unsupported", "lora_ga"],
    ["an activated LoRA", { r: 2, alora_invocation_tokens: [5] }, "adapter-unsupported", "alora_invocation_tokens"],
    ["an alpha that is NaN", '{"r": 2, "lora_alpha": NaN}', "adapter-metadata", "lora_alpha"],
  ])("%s is refused", async (_thread, config, code, fact) => {
    const path = await withConfig(config);
    await expect(readAdapter(path, model)).rejects.toThrow(refusal(code, dirname(path), fact));
  });
});

describe("is refused as what it is:", () => {
  const one = (key: string, ...shape: number[]): Tensors => ({ [key]: of(...shape) });
  const peft = (end: string): Tensors => one(`base_model.model.${block}.attn1.to_q.${end}`, 2, 24);
  test.each<[thread: string, what: string, Tensors, ErrorCode, ...facts: string[]]>([
    [
      "diffusers#14088",
      "a LoRA for Anima",
      pair("lora_unet_blocks_0_self_attn_q_proj"),
      "adapter-unsupported",
      "Anima",
    ],
    [
      "ComfyUI#4476",
      "a LoKr for Flux",
      { ...one("lycoris_single_transformer_blocks_0_attn_to_k.lokr_w1", 4, 4) },
      "adapter-unsupported",
      "a LoKr for Flux",
    ],
    [
      "ComfyUI#8285",
      "a LyCORIS for Wan",
      pair("lycoris_blocks_0_ffn_net_0_proj"),
      "adapter-unsupported",
      "a LoRA for Wan",
    ],
    [
      "ComfyUI#10222",
      "a LoRA for Wan with differences",
      {
        ...pair("diffusion_model.blocks.35.cross_attn.k_img"),
        ...one("diffusion_model.blocks.35.cross_attn.v_img.diff_b", 4),
      },
      "adapter-unsupported",
      "Wan",
    ],
    [
      "kohya_ss#1423",
      "a LoRA for SDXL, by its text width",
      pair("lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k", undefined, [640, 2, 2048]),
      "adapter-other-model",
      "Stable Diffusion XL",
      "2048",
    ],
    [
      "ComfyUI#1461",
      "a LoHa for SDXL",
      {
        [`${flat}_attn2_to_k.hada_w1_a`]: of(24, 2),
        [`${flat}_attn2_to_k.hada_w1_b`]: of(2, 2048),
        [`${flat}_attn2_to_k.hada_w2_a`]: of(24, 2),
        [`${flat}_attn2_to_k.hada_w2_b`]: of(2, 2048),
      },
      "adapter-other-model",
      "Stable Diffusion XL",
    ],
    [
      "sdnext#3697",
      "a LoRA for SD 2.x whose keys fit",
      pair(`${flat}_attn2_to_k`, undefined, [24, 2, 1024]),
      "adapter-other-model",
      "Stable Diffusion 2.x",
    ],
    [
      "ComfyUI#5230",
      "kohya's OFT for Flux",
      one("oft_unet_single_blocks_6_linear2.oft_blocks.0", 4, 4),
      "adapter-unsupported",
      "an OFT adapter for Flux",
    ],
    [
      "kohya_ss#1728",
      "a ControlNet-LLLite",
      one(`${flat.replace("lora", "lllite")}_attn1_to_q.down.0.weight`, 2, 24),
      "adapter-unsupported",
      "ControlNet-LLLite",
    ],
    [
      "cloneofsimo/lora#212",
      "a LoRA with numbered layers",
      { "unet:0:up": of(24, 2), "unet:0:down": of(2, 24) },
      "adapter-unsupported",
      "cloneofsimo",
    ],
    [
      "ComfyUI#619",
      "a hypernetwork",
      { "768.0.linear.0.weight": of(4, 4), "768.1.linear.0.weight": of(4, 4) },
      "adapter-unsupported",
      "a hypernetwork",
    ],
    [
      "cloneofsimo/lora#149",
      "a LoRA that is a list",
      { "0": of(24, 2), "1": of(2, 24) },
      "adapter-unsupported",
      "cloneofsimo",
    ],
    [
      "diffusers#8854",
      "an embedding for SDXL",
      { clip_l: of(2, 32), clip_g: of(2, 1280) },
      "adapter-other-model",
      "Stable Diffusion XL",
      "clip_g",
    ],
    [
      "diffusers#4903",
      "an embedding for SDXL with numbered encoders",
      { text_encoders_0: of(2, 768), text_encoders_1: of(2, 1280) },
      "adapter-other-model",
      "Stable Diffusion XL",
    ],
    [
      "ComfyUI#9672",
      "an output embedding beside the usual one",
      { ...kohya(), "bundle_emb.<cat>.clip_l": of(2, 32), "bundle_emb.<cat>.clip_l_out": of(2, 32) },
      "adapter-unsupported",
      "clip_l_out",
    ],
    [
      "peft#1443",
      "a LoRA that ZeRO-3 left empty",
      { [`unet.${block}.attn1.to_q.lora_A.weight`]: of(0), [`unet.${block}.attn1.to_q.lora_B.weight`]: of(0) },
      "adapter-damaged",
      "ZeRO-3",
      "lora_A",
    ],
    [
      "kohya_ss#1986",
      "a LoRA of NaN",
      { ...kohya(), [`${flat}_attn1_to_q.lora_up.weight`]: { shape: [24, 2], bytes: new Uint8Array(192).fill(255) } },
      "adapter-not-finite",
      "lora_up",
    ],
    [
      "stablepy#18",
      "an autoencoder under a checkpoint's names",
      one("first_stage_model.decoder.conv_in.weight", 4, 4, 3, 3),
      "adapter-unsupported",
      "an autoencoder",
    ],
    [
      "LyCORIS, tlora.py of 4.1.3",
      "a T-LoRA",
      one(`${flat}_attn1_to_q.lambda_layer`, 1, 4),
      "adapter-unsupported",
      "T-LoRA",
    ],
    [
      "PEFT 0.21, peft_types.py",
      "AdaLoRA",
      { ...peft("lora_E"), ...peft("lora_A"), ...peft("lora_B") },
      "adapter-unsupported",
      "AdaLoRA",
    ],
    ["PEFT 0.21, peft_types.py", "MiSS", peft("miss_block"), "adapter-unsupported", "MiSS"],
    ["PEFT 0.21, peft_types.py", "C3A", peft("c3a_kernel"), "adapter-unsupported", "C3A"],
    ["PEFT 0.21, peft_types.py", "RoAd", peft("road_theta"), "adapter-unsupported", "RoAd"],
    ["PEFT 0.21, peft_types.py", "VB-LoRA", peft("vblora_logits_A"), "adapter-unsupported", "VB-LoRA"],
    ["PEFT 0.21, peft_types.py", "RandLoRA", peft("randlora_lambda"), "adapter-unsupported", "RandLoRA"],
    ["PEFT 0.21, peft_types.py", "SHiRA", peft("shira_weight"), "adapter-unsupported", "SHiRA"],
    ["PEFT 0.21, peft_types.py", "WaveFT", peft("waveft_spectrum"), "adapter-unsupported", "WaveFT"],
    [
      "PEFT 0.21, peft_types.py",
      "prompt tuning, whose vectors belong to no token",
      { prompt_embeddings: of(8, 32) },
      "adapter-unsupported",
      "prompt tuning",
    ],
    ["an unknown kind", "not taken for another model's", peft("lily_A"), "adapter-unsupported", "lily_A"],
  ])("%s: %s", async (_thread, _what, tensors, code, ...facts) => {
    const path = await file("a.safetensors", tensors);
    await expect(readAdapter(path, model)).rejects.toThrow(refusal(code, path, ...facts));
  });
});

test("stable-diffusion-webui#9944: macOS metadata is not taken for weights, and ignored in a folder", async () => {
  const path = await file("pytorch_lora_weights.safetensors", kohya());
  const notes = join(dirname(path), "._pytorch_lora_weights.safetensors");
  await writeFile(notes, Buffer.from("0005160700020000", "hex"));
  expect(await read(dirname(path))).toEqual(await read(path));
  await expect(readAdapter(notes, model)).rejects.toThrow(refusal("not-weights", notes, "._"));
});

describe("a tokenizer", () => {
  const changed = async (name: string, change: (text: string) => string | Buffer) => {
    const copy = join(folder, String(serial++));
    await cp(fixture("pipelines/sd15/tokenizer"), copy, { recursive: true });
    const text = await readFile(join(copy, name), "utf8").catch(() => "{}");
    await writeFile(join(copy, name), change(text));
    return copy;
  };
  const idsOf = async (tokenizer: string, text: string) => (await loadTokenizer(tokenizer)).encode(text);

  test("diffusers#2182: a placeholder added by training is one token", async () => {
    const [listed, decoded] = [
      await changed("added_tokens.json", () => JSON.stringify({ "<frida>": 640 })),
      await changed("tokenizer_config.json", (text) =>
        JSON.stringify({ ...JSON.parse(text), added_tokens_decoder: { 640: { content: "<frida>", special: false } } }),
      ),
    ];
    const plain = await idsOf(fixture("pipelines/sd15/tokenizer"), "a cat");
    for (const tokenizer of [listed, decoded])
      expect(await idsOf(tokenizer, "a <frida> cat")).toEqual([plain[0], 640, plain[1]]);
  });

  test("with Windows line endings gives the same ids", async () => {
    const windows = await changed("merges.txt", (text) => text.replaceAll("\n", "\r\n"));
    const text = "a red cat in the snow";
    expect(await idsOf(windows, text)).toEqual(await idsOf(fixture("pipelines/sd15/tokenizer"), text));
  });

  test("whose vocabulary is not UTF-8 is refused", async () => {
    const broken = await changed("vocab.json", (text) => Buffer.from(text, "latin1"));
    await expect(loadTokenizer(broken)).rejects.toThrow(refusal("text-encoding", "vocab.json", "UTF-8"));
  });

  test("with more tokens than the text encoder is refused if a prompt has one of them", async () => {
    const tokenizer = await loadTokenizer(
      await changed("vocab.json", (text) => JSON.stringify({ ...JSON.parse(text), "cat</w>": 100_000 })),
    );
    expect(() => model.text.tokenize(tokenizer, "a cat", new Map())).toThrow(refusal("tokenizer-invalid", "100000"));
  });
});

describe("a checkpoint", () => {
  /** The tiny single file of the cases with other keys. */
  async function respelled(spell: (key: string) => string | undefined, more: Tensors = {}): Promise<string> {
    const { tensors, metadata } = await readSafetensors(fixture("cases/marked.safetensors"));
    const entries: Record<string, Tensor> = { ...more };
    for (const [key, ref] of tensors) {
      const name = spell(key);
      if (name !== undefined)
        entries[name] = { shape: ref.shape, dtype: ref.dtype, bytes: new Uint8Array(await readBytes(ref)) };
    }
    return file("model.safetensors", entries, metadata);
  }
  const open = async (path: string) => openModel(path, { config: fixture("cases/config") });
  const keys = ({ components }: Model) =>
    [...components].map(([name, { weights }]) => [name, [...weights.keys()].sort()]);
  const usual = () => open(fixture("cases/marked.safetensors"));

  test("sd_dreambooth_extension#6: with CLIP's older names, without text_model, opens", async () => {
    const old = await open(
      await respelled((key) =>
        key.replace("cond_stage_model.transformer.text_model.", "cond_stage_model.transformer."),
      ),
    );
    expect(keys(old)).toEqual(keys(await usual()));
  });

  test("InvokeAI#3561: without position_ids, or with broken ones, opens", async () => {
    const ids = "cond_stage_model.transformer.text_model.embeddings.position_ids";
    const without = await open(await respelled((key) => (key === ids ? undefined : key)));
    const broken = { [ids]: { shape: [1, 77], dtype: "float16" as const, bytes: new Uint8Array(154) } };
    const badly = await open(await respelled((key) => (key === ids ? undefined : key), broken));
    expect([keys(without), keys(badly)]).toEqual([keys(await usual()), keys(await usual())]);
  });

  test("diffusers#1818: with averaged (EMA) copies uses the other weights", async () => {
    const copies = { "model_ema.diffusion_modelinput_blocks00weight": of(8, 4, 3, 3), "model_ema.decay": of() };
    const both = await open(await respelled((key) => key, copies));
    expect(both.components.get("unet")!.weights.get("conv_in.weight")!.name).toBe(
      "model.diffusion_model.input_blocks.0.0.weight",
    );
  });

  test("stablepy#18: an autoencoder alone, given as a model, is refused as one", async () => {
    const path = await respelled((key) => (key.startsWith("first_stage_model.") ? key : undefined));
    await expect(open(path)).rejects.toThrow(refusal("model-unsupported", path, "an autoencoder alone"));
    expect(await inspect(path)).toMatchObject({ kind: "tensors", looksLike: "an autoencoder alone" });
  });

  test("stable-diffusion-webui-forge#512: a U-Net and text encoder without an autoencoder says what is missing", async () => {
    const path = await respelled((key) => (key.startsWith("first_stage_model.") ? undefined : key));
    await expect(open(path)).rejects.toThrow(refusal("model-incomplete", path, "first_stage_model"));
  });
});

describe("a folder", () => {
  const changed = async (name: string, change: (config: Record<string, unknown>) => Record<string, unknown>) => {
    const copy = join(folder, String(serial++));
    await cp(fixture("pipelines/sd15"), copy, { recursive: true });
    const path = join(copy, name);
    await writeFile(path, JSON.stringify(change(JSON.parse(await readFile(path, "utf8")))));
    return copy;
  };
  const scheduler = "scheduler/scheduler_config.json";

  test.each(["FlowMatchEulerDiscreteScheduler", "EDMEulerScheduler", "CMStochasticIterativeScheduler"])(
    "diffusers#10146: with the noise schedule of a %s is refused, and not drawn on DDPM's",
    async (name) => {
      const copy = await changed(scheduler, () => ({ _class_name: name }));
      await expect(openModel(copy)).rejects.toThrow(refusal("scheduler-unsupported", name));
    },
  );

  test.each([
    "LMSDiscreteScheduler",
    "UniPCMultistepScheduler",
    "KDPM2DiscreteScheduler",
    "LCMScheduler",
    "DDPMScheduler",
  ])("with a %s, whose schedule is DDPM's, opens", async (name) => {
    const copy = await changed(scheduler, (config) => ({ ...config, _class_name: name }));
    expect((await openModel(copy)).schedule.timesteps).toBe(1000);
  });

  test("with betas outside [0, 1) is refused before anything is drawn", async () => {
    const copy = await changed(scheduler, (config) => ({ ...config, beta_end: 2 }));
    await expect(openModel(copy)).rejects.toThrow(refusal("scheduler-unsupported", "beta_end"));
  });

  test("diffusers#2025: with a U-Net or a pipeline with its own code is refused, naming the class", async () => {
    const copy = await changed("model_index.json", (index) => ({ ...index, unet: ["models", "CustomUnet"] }));
    await expect(openModel(copy)).rejects.toThrow(refusal("model-unsupported", "CustomUnet"));
    const own = await changed("model_index.json", (index) => ({ ...index, _class_name: ["pipe", "MyPipeline"] }));
    await expect(openModel(own)).rejects.toThrow(refusal("model-unsupported", "MyPipeline"));
  });

  test("diffusers#3231: with null for optional parts opens", async () => {
    const copy = await changed("model_index.json", (index) => ({
      ...index,
      safety_checker: [null, null],
      feature_extractor: [null, null],
      image_encoder: [null, null],
    }));
    expect((await openModel(copy)).name).toBeTruthy();
  });

  test("OmniParser#18: cloned without LFS is refused, naming the pointer file", async () => {
    const copy = await changed("model_index.json", (index) => index);
    const path = join(copy, "vae/diffusion_pytorch_model.safetensors");
    await writeFile(path, "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n");
    await expect(openModel(copy)).rejects.toThrow(refusal("lfs-pointer", path));
  });

  test.each([
    ["trl#1404", "attn1.to_q.base_layer.weight", "base_layer"],
    ["diffusers#2920", "attn1.processor.to_q_lora.up.weight", "to_q_lora"],
  ])("%s: whose U-Net was saved with an adapter's layers in it is refused", async (_, key, fact) => {
    const copy = await changed("model_index.json", (index) => index);
    const path = join(copy, "unet/diffusion_pytorch_model.safetensors");
    const { tensors } = await readSafetensors(path);
    const entries = await Promise.all(
      [...tensors].map(async ([name, ref]) => ({
        name,
        dtype: ref.dtype,
        shape: ref.shape,
        data: await readBytes(ref),
      })),
    );
    const layer = { name: `${block}.${key}`, dtype: "float32" as const, shape: [24, 24], data: filled([24, 24]) };
    await writeSafetensors(path, [...entries, layer], {});
    await expect(openModel(copy)).rejects.toThrow(refusal("model-unsupported", join(copy, "unet"), fact));
  });

  test("with a missing shard, or a copy of another in its place, is refused", async () => {
    const copy = join(folder, String(serial++));
    await cp(fixture("pipelines/sd21"), copy, { recursive: true });
    const shard = join(copy, "unet/diffusion_pytorch_model-00002-of-00003.safetensors");
    await rm(shard);
    await expect(openModel(copy)).rejects.toThrow(refusal("model-incomplete", shard));
    await copyFile(join(copy, "unet/diffusion_pytorch_model-00001-of-00003.safetensors"), shard);
    await expect(openModel(copy)).rejects.toThrow();
  });
});
