/**
 * Mutated adapters, configurations and tokenizers give a valid result with finite numbers or a TillerError, and never hang.
 * 30,000 mutations of each: `TILLER_FUZZ=30000 npx vitest run test/fuzzed-files.test.ts`.
 */
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Adapter, readAdapter } from "../src/adapters/index.ts";
import { areComputable } from "../src/bytes/computable.ts";
import type { Model } from "../src/families/family.ts";
import { openModel } from "../src/families/open-model.ts";
import { moduleOf } from "../src/models/module.ts";
import { createSampler, samplerNames } from "../src/samplers/index.ts";
import { loadTokenizer } from "../src/text/tokenizer.ts";
import { fixture } from "./fixtures.ts";
import { chance, expectBoth, mutate, mutations, survives } from "./fuzz.ts";

let folder: string;
let model: Model;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-fuzz-"));
  model = await openModel(fixture("pipelines/sd15"));
});
afterAll(() => rm(folder, { recursive: true }));

const json = [
  "{",
  "}",
  "[",
  "]",
  ":",
  ",",
  '"',
  "\\",
  "null",
  "true",
  "NaN",
  "-Infinity",
  "1e9",
  "1e999",
  "[]",
  "{}",
  '""',
];

/** @throws Error if an adapter has numbers that are not finite, or not as many as its shapes say. */
function expectSound({ lowRank, full, differences, tokens }: Adapter): void {
  const factors = [
    ...[...lowRank.values()].flatMap((modules) => [...modules.values()].flatMap(({ down, up }) => [down, up])),
    ...[...full.values(), ...differences.values()].flatMap((modules) => [...modules.values()]),
  ];
  const vectors = [...tokens.values()].flatMap((table) => [...table.values()].flat());
  for (const { shape, data } of factors)
    if (data.length !== shape.reduce((a, b) => a * b, 1)) throw new Error("the shape does not fit the numbers");
  if (![...factors.map(({ data }) => data), ...vectors].every((data) => areComputable(data)))
    throw new Error("numbers that are not finite");
  for (const { scale } of [...lowRank.values()].flatMap((modules) => [...modules.values()]))
    if (!Number.isFinite(scale)) throw new Error(`a scale of ${scale}`);
}

test("adapters of every kind", { timeout: 600_000 }, async () => {
  const dice = chance(27_011);
  const names = ["locon", "dora", "loha", "lokr", "lokr-dora", "glora", "ia3", "norms", "one-trainer"];
  const files = [
    ...names.map((name) => fixture(`kinds/${name}.safetensors`)),
    fixture("kinds/peft-rslora/adapter_model.safetensors"),
    fixture("adapters/ti.safetensors"),
    fixture("cases/lora-bundled-embedding.safetensors"),
  ];
  const contents = await Promise.all(files.map((file) => readFile(file)));
  const words = [
    ...json,
    ...["lora_down", "lora_up", ".alpha", "hada_w1_a", "lokr_w2", "dora_scale", "diff_b", "bundle_emb.x.", "lora_A"],
    ...[
      "F16",
      "BF16",
      "I64",
      "F8_E4M3",
      "BOOL",
      "shape",
      "dtype",
      "data_offsets",
      "\x00\x00\xc0\x7f",
      "\xff\xff\x7f\x7f",
    ],
  ];
  const path = join(folder, "adapter.safetensors");
  const times = mutations(900);
  let valid = 0;
  for (let i = 0; i < times; i++) {
    const bytes = dice.pick(contents);
    const end = 8 + Number(bytes.readBigUInt64LE(0));
    const inHeader = dice.below(3) > 0;
    const header = inHeader ? mutate(dice, bytes.subarray(8, end), { words }) : bytes.subarray(8, end);
    const data = inHeader ? bytes.subarray(end) : mutate(dice, bytes.subarray(end), { words, text: false });
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    const file = Buffer.concat([length, header, data]);
    await writeFile(path, file);
    const read = async () => expectSound(await readAdapter(path, model));
    if (await survives(read, () => file.toString("base64"))) valid++;
  }
  expectBoth(valid, times);
});

test("configurations of a model folder, up to recording the graphs", { timeout: 600_000 }, async () => {
  const dice = chance(27_012);
  const copy = join(folder, "model");
  await cp(fixture("pipelines/sd15"), copy, { recursive: true });
  const parts = ["unet", "vae", "text_encoder"].map((part) => `${part}/config.json`);
  const names = [...parts, "scheduler/scheduler_config.json", "model_index.json", "tokenizer/tokenizer_config.json"];
  const contents = new Map(
    await Promise.all(names.map(async (name) => [name, await readFile(join(copy, name))] as const)),
  );
  const words = [...json, "DownBlock2D", "CrossAttnUpBlock2D", "linear", "v_prediction", "trailing", "[1,2]", "4096"];
  const times = mutations(300);
  let valid = 0;
  for (let i = 0; i < times; i++) {
    const name = dice.pick(names);
    const bytes = mutate(dice, contents.get(name)!, { words });
    await writeFile(join(copy, name), bytes);
    const read = async () => {
      const { text, denoiser, latents, scheduler, components } = await openModel(copy);
      const modules = (part: string) => moduleOf(components.get(part)!.weights);
      text.graph(modules);
      denoiser.prepare(modules);
      denoiser.predict(modules);
      latents.decode(modules);
      const { timesteps } = createSampler(dice.pick(samplerNames), scheduler, 4);
      if (!timesteps.every(Number.isFinite)) throw new Error(`timesteps ${timesteps}`);
    };
    if (await survives(read, () => `${name}: ${bytes}`)) valid++;
    await writeFile(join(copy, name), contents.get(name)!);
  }
  expectBoth(valid, times);
});

test("PEFT's configurations", { timeout: 600_000 }, async () => {
  const dice = chance(27_013);
  const copy = join(folder, "peft");
  await cp(fixture("kinds/peft-loha"), copy, { recursive: true });
  const path = join(copy, "adapter_config.json");
  const bytes = await readFile(path);
  const words = [
    ...json,
    "rank_pattern",
    "use_rslora",
    "use_dora",
    "pissa",
    '"^(.*)*$": 3,',
    "(a+)+",
    "r",
    "lora_alpha",
  ];
  const times = mutations(1000);
  let valid = 0;
  for (let i = 0; i < times; i++) {
    const mutated = mutate(dice, bytes, { words });
    await writeFile(path, mutated);
    const read = async () => expectSound(await readAdapter(copy, model));
    if (await survives(read, () => mutated.toString())) valid++;
  }
  expectBoth(valid, times);
});

test("tokenizers, in both formats", { timeout: 600_000 }, async () => {
  const dice = chance(27_014);
  const [files, whole] = [join(folder, "files"), join(folder, "whole")];
  for (const copy of [files, whole]) await cp(fixture("pipelines/sd15/tokenizer"), copy, { recursive: true });
  const { clipTokenizer } = await import("../src/text/clip-tokenizer.ts");
  const merges = (await readFile(join(files, "merges.txt"), "utf8")).trim().split("\n").slice(1);
  const vocabulary = JSON.parse(await readFile(join(files, "vocab.json"), "utf8"));
  const described = clipTokenizer(
    vocabulary,
    merges.map((line) => line.split(" ") as [string, string]),
  );
  await writeFile(join(whole, "tokenizer.json"), JSON.stringify(described));
  await writeFile(join(files, "added_tokens.json"), JSON.stringify({ "<cat>": 615 }));
  const places = [
    ...["vocab.json", "merges.txt", "added_tokens.json", "special_tokens_map.json"].map((name) => join(files, name)),
    join(whole, "tokenizer.json"),
  ];
  const contents = await Promise.all(places.map((path) => readFile(path)));
  const words = [
    ...json,
    "</w>",
    "\xff",
    "é",
    "\\ud800",
    "BPE",
    "Regex",
    "(.*)*x",
    "ByteLevel",
    "added_tokens",
    "\n",
    " ",
  ];
  const text = "a <cat> cat's photo, 2 Dogs in the snow! \u00e9\u4e00\u{1f600}";
  const times = mutations(600);
  let valid = 0;
  for (let i = 0; i < times; i++) {
    const at = dice.below(places.length);
    // Only the beginning has settings; the rest is vocabulary.
    const to = dice.below(2) === 0 ? Math.min(1500, contents[at]!.length) : contents[at]!.length;
    const bytes = mutate(dice, contents[at]!, { words, to });
    await writeFile(places[at]!, bytes);
    const read = async () => {
      const tokenizer = await loadTokenizer(join(places[at]!, ".."));
      const ids = model.text.tokenize(tokenizer, text, new Map()).inputs.ids!;
      if (!ids.every((id) => Number.isInteger(id) && id >= 0 && id < 615)) throw new Error(`ids ${ids}`);
    };
    if (await survives(read, () => `${places[at]}: ${bytes}`)) valid++;
    await writeFile(places[at]!, contents[at]!);
  }
  expectBoth(valid, times);
});

test("the tests above would find numbers that are not finite", () => {
  const down = { shape: [1, 1], data: Float32Array.of(Number.NaN) };
  const lowRank = new Map([["unet", new Map([["a", { down, up: down, scale: 1 }]])]]);
  const none = new Map();
  expect(() => expectSound({ lowRank, full: none, differences: none, tokens: none } as never)).toThrow("not finite");
});
