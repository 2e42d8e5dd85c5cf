/** No tensor of an adapter's file is silently ignored: it is applied, warned of, or refused by name. */
import { copyFile, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Adapter, readAdapter } from "../src/adapters/index.ts";
import { type FloatDType, fromFloat32 } from "../src/bytes/elements.ts";
import { readNumbers, readSafetensors, writeSafetensors } from "../src/bytes/safetensors.ts";
import { TillerError } from "../src/errors/index.ts";
import type { Model } from "../src/families/family.ts";
import { openModel } from "../src/families/open-model.ts";
import { fixture } from "./fixtures.ts";

/** A file's tensors as float32, and the type that one of them is written in. */
interface Written {
  readonly shape: readonly number[];
  readonly data: Float32Array;
  readonly dtype?: FloatDType;
}
type Tensors = ReadonlyMap<string, Written>;

let folder: string;
let model: Model;
const files: { name: string; tensors: Tensors; metadata: Readonly<Record<string, string>>; config?: string }[] = [];
let places: (readonly [file: number, key: string])[];
let serial = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-drop-"));
  model = await openModel(fixture("pipelines/sd15"));
  const kinds = await readdir(fixture("kinds"));
  const names = [
    ...kinds
      .filter((name) => !/answers|inputs|pictures/.test(name))
      .map((name) => (name.includes(".") ? `kinds/${name}` : `kinds/${name}/adapter_model.safetensors`)),
    ...["lora-peft", "lora-diffusers", "lora-diffusers-old", "lora-kohya", "ti"].map(
      (name) => `adapters/${name}.safetensors`,
    ),
    ...["lora-bundled-embedding", "lora-integer-alpha", "lora-trained-norms"].map(
      (name) => `cases/${name}.safetensors`,
    ),
  ];
  for (const name of names) {
    const { tensors, metadata } = await readSafetensors(fixture(name));
    const numbers = new Map<string, { shape: readonly number[]; data: Float32Array }>();
    for (const [key, ref] of tensors) numbers.set(key, { shape: ref.shape, data: await readNumbers(ref) });
    const config = name.includes("adapter_model") ? join(dirname(fixture(name)), "adapter_config.json") : undefined;
    files.push({ name, tensors: numbers, metadata, ...(config !== undefined && { config }) });
  }
  places = files.flatMap(({ tensors }, file) => [...tensors.keys()].map((key) => [file, key] as const));
});
afterAll(() => rm(folder, { recursive: true }));

/** The changes made by an adapter with these tensors, or its refusal. */
async function outcome(file: number, tensors: Tensors): Promise<string> {
  const { metadata, config } = files[file]!;
  const place = join(folder, String(serial++));
  await mkdir(place);
  const path = join(place, "adapter_model.safetensors");
  if (config !== undefined) await copyFile(config, join(place, "adapter_config.json"));
  const entries = [...tensors].map(([name, { shape, data, dtype = "float32" }]) => ({
    name,
    dtype,
    shape,
    data: fromFloat32(data, dtype),
  }));
  await writeSafetensors(path, entries, metadata);
  try {
    return summary(await readAdapter(path, model));
  } catch (error) {
    if (error instanceof TillerError) return `refused: ${error.message}`;
    throw error;
  } finally {
    await rm(place, { recursive: true });
  }
}

function summary({ lowRank, full, differences, tokens, warnings }: Adapter): string {
  const plain = (value: unknown): unknown => {
    if (value instanceof Map) return [...value].map(([key, one]) => [key, plain(one)]);
    if (value instanceof Float32Array)
      return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64");
    if (Array.isArray(value)) return value.map(plain);
    if (value !== null && typeof value === "object") return plain(new Map(Object.entries(value)));
    return value;
  };
  return JSON.stringify(plain({ lowRank, full, differences, tokens, warnings }));
}

/** LyCORIS ignores alpha if both of LoKr's factors are whole matrices. */
const countsForNothing = (file: number, key: string): boolean => {
  const { tensors } = files[file]!;
  const module = key.replace(/\.alpha$/, "");
  return key.endsWith(".alpha") && tensors.has(`${module}.lokr_w1`) && tensors.has(`${module}.lokr_w2`);
};

test("changing a tensor changes what the adapter does", async () => {
  const before = await Promise.all(files.map(({ tensors }, file) => outcome(file, tensors)));
  expect(before.filter((one) => one.startsWith("refused"))).toEqual([]);
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.constantFrom(-1.5, 0.5, 3), async (pick, factor) => {
      const [file, key] = places[pick % places.length]!;
      if (countsForNothing(file, key)) return;
      const tensor = files[file]!.tensors.get(key)!;
      // A switch of 0 is turned on.
      const data = tensor.data.map((value) => (value === 0 ? 1 : value * factor));
      const after = await outcome(file, new Map([...files[file]!.tensors, [key, { ...tensor, data }]]));
      expect(after === before[file], `${files[file]!.name}: ${key} has no effect`).toBe(false);
    }),
    { numRuns: 60 },
  );
});

test("removing a tensor is refused or changes what the adapter does", async () => {
  const before = await Promise.all(files.map(({ tensors }, file) => outcome(file, tensors)));
  await fc.assert(
    fc.asyncProperty(fc.nat(), async (pick) => {
      const [file, key] = places[pick % places.length]!;
      const { tensors } = files[file]!;
      if (countsForNothing(file, key) || tensors.size === 1) return;
      const after = await outcome(file, new Map([...tensors].filter(([name]) => name !== key)));
      // These may have had the default value: the rank for alpha, the output for on_input.
      if (/\.(alpha|on_input)$/.test(key) && after === before[file]) return;
      expect(after === before[file], `${files[file]!.name}: ${key} is not missed`).toBe(false);
    }),
    { numRuns: 50 },
  );
});

test("an unknown tensor is named", async () => {
  const ends = [
    "weight_g",
    "lora_C.weight",
    "hada_w3_a",
    "lokr_w9",
    "scale",
    "set_weight",
    "running_mean",
    "magnitude",
  ];
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.constantFrom(...ends), async (pick, end) => {
      const [file, key] = places[pick % places.length]!;
      if (files[file]!.name.endsWith("ti.safetensors")) return;
      const unknown = `${key.replace(/(\.lora_?\w*|\.a\d|\.b\d)?\.\w+$/, "")}.${end}`;
      const added = new Map([...files[file]!.tensors, [unknown, { shape: [2], data: Float32Array.of(1, 2) }]]);
      const after = await outcome(file, added);
      expect(after.startsWith("refused") && after.includes(unknown), `${unknown}: ${after.slice(0, 300)}`).toBe(true);
    }),
    { numRuns: 50 },
  );
});

/** A refusal names the key, its other half, or its module. */
function expectNamed(refused: string, key: string, what: string): void {
  const module = key
    .replace(/\.[^.]+(\.weight)?$/, "")
    .split(/[._]/)
    .slice(-3)
    .join("_");
  expect(refused.replaceAll(".", "_"), what).toContain(module);
}

/** A file with one tensor under another key, in another shape or in another type. */
const withOther = (file: number, key: string, other: readonly [string, Written]): Tensors =>
  new Map([...files[file]!.tensors].map((one) => (one[0] === key ? other : one)));

test("a tensor in another type has the same effect if its numbers are the same", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(),
      fc.constantFrom<FloatDType>("float16", "bfloat16", "float64"),
      fc.constantFrom(-2, 0.5, 4),
      async (pick, dtype, factor) => {
        const [file, key] = places[pick % places.length]!;
        if (countsForNothing(file, key)) return;
        const tensor = files[file]!.tensors.get(key)!;
        const of = (data: Float32Array) => outcome(file, withOther(file, key, [key, { ...tensor, data, dtype }]));
        const [same, changed] = await Promise.all([
          of(tensor.data),
          of(tensor.data.map((value) => (value === 0 ? 1 : value * factor))),
        ]);
        expect(same.startsWith("refused"), `${files[file]!.name}: ${key} as ${dtype}: ${same.slice(0, 300)}`).toBe(
          false,
        );
        expect(changed === same, `${files[file]!.name}: ${key} counts for nothing as ${dtype}`).toBe(false);
      },
    ),
    { numRuns: 40 },
  );
});

test("a tensor in another shape has the same effect, or another than if it were absent, or is named", async () => {
  const reshaped = (shape: readonly number[], how: string): readonly number[] =>
    how === "one more axis"
      ? [...shape, 1]
      : how === "turned"
        ? [...shape].reverse()
        : how === "flat"
          ? [shape.reduce((a, b) => a * b, 1)]
          : [1, ...shape];
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.constantFrom("one more axis", "turned", "flat", "one before"), async (pick, how) => {
      const [file, key] = places[pick % places.length]!;
      const { tensors, name } = files[file]!;
      if (countsForNothing(file, key) || tensors.size === 1) return;
      const tensor = tensors.get(key)!;
      const after = await outcome(file, withOther(file, key, [key, { ...tensor, shape: reshaped(tensor.shape, how) }]));
      if (after === (await outcome(file, tensors))) return;
      if (after.startsWith("refused")) {
        expectNamed(after, key, `${name}: ${key} ${how}`);
        return;
      }
      const without = await outcome(file, new Map([...tensors].filter(([one]) => one !== key)));
      expect(after === without, `${name}: ${key} ${how} is dropped`).toBe(false);
    }),
    { numRuns: 40 },
  );
});

test("a tensor with a misspelt key is named, or has another effect than if it were absent", async () => {
  const spell = (key: string, at: number, letter: string, how: string): string => {
    const i = at % key.length;
    if (how === "one more") return key.slice(0, i) + letter + key.slice(i);
    if (how === "one less") return key.slice(0, i) + key.slice(i + 1);
    return key.slice(0, i) + letter + key.slice(i + 1);
  };
  await fc.assert(
    fc.asyncProperty(
      fc.nat(),
      fc.nat(),
      fc.constantFrom("x", "_", ".", "0", "A", " ", "é"),
      fc.constantFrom("one more", "one less", "another"),
      async (pick, at, letter, how) => {
        const [file, key] = places[pick % places.length]!;
        const { tensors, name } = files[file]!;
        const other = spell(key, at, letter, how);
        if (countsForNothing(file, key) || tensors.size === 1 || tensors.has(other) || other === "") return;
        const after = await outcome(file, withOther(file, key, [other, tensors.get(key)!]));
        if (after.startsWith("refused")) {
          if (!after.includes(other)) expectNamed(after, key, `${name}: ${key} as ${other}`);
          return;
        }
        const without = await outcome(file, new Map([...tensors].filter(([one]) => one !== key)));
        // A misspelt alpha that is read belongs to another module, which must exist.
        expect(after === without, `${name}: ${key} as ${other} is dropped`).toBe(false);
      },
    ),
    { numRuns: 60 },
  );
});
