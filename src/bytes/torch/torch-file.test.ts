import { existsSync } from "node:fs";
import { mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chance, expectBoth, mutate, survives } from "../../../test/fuzz.ts";
import { refusal } from "../../../test/refusal.ts";
import type { ErrorCode } from "../../errors/index.ts";
import { readTensors } from "../read-tensors.ts";
import { readBytes, readFloat32, refuseStoredTypes } from "../safetensors.ts";
import { type ByteSource, sourceOf } from "../source.ts";
import type { TensorRef } from "../tensor-ref.ts";
import { readTorchPickles, readTorchZip } from "./torch-file.ts";

/** Written by parity/torch_files.py. */
const fixture = (name: string) => fileURLToPath(new URL(`../../../parity/fixtures/torch/${name}`, import.meta.url));

let folder: string;
beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "torch-")));
});
afterAll(() => rm(folder, { recursive: true }));

const floats = async (ref: TensorRef | undefined) => [...(await readFloat32(ref!))];

describe.each(["state-dict.pt", "state-dict-old.pt"])("%s, which torch.save wrote", (name) => {
  test("gives its tensors in place", async () => {
    const { tensors } = await readTensors(fixture(name));
    expect([...tensors.values()].map(({ name, dtype, shape }) => [name, dtype, shape])).toEqual([
      ["a", "float32", [1, 3]],
      ["half", "float16", [4]],
      ["bfloat", "bfloat16", [2]],
      ["double", "float64", [1]],
      ["ids", "int64", [2]],
      ["flag", "bool", [2]],
      ["scalar", "float32", []],
      ["empty", "float32", [0, 3]],
      ["parameter", "float32", [2]],
      ["rows", "float32", [2, 3]],
      ["again", "float32", [4, 3]],
    ]);
    expect(await floats(tensors.get("a"))).toEqual([1.5, -2, 0.25]);
    expect(await floats(tensors.get("half"))).toEqual([1, 65504, 2 ** -24, -0]);
    expect(await floats(tensors.get("bfloat"))).toEqual([3.140625, -1]);
    expect(await floats(tensors.get("double"))).toEqual([Math.fround(1 / 3)]);
    expect([...new BigInt64Array((await readBytes(tensors.get("ids")!)).buffer)]).toEqual([7n, -1n]);
    expect([...(await readBytes(tensors.get("flag")!))]).toEqual([1, 0]);
    expect(await floats(tensors.get("scalar"))).toEqual([9]);
    expect(await floats(tensors.get("empty"))).toEqual([]);
    expect(await floats(tensors.get("parameter"))).toEqual([0.5, -7]);
    expect(await floats(tensors.get("rows"))).toEqual([3, 4, 5, 6, 7, 8]);
    // Two tensors share one storage.
    expect(tensors.get("rows")!.offset - tensors.get("again")!.offset).toBe(12);
    expect(tensors.get("a")!.source.path).toBe(await realpath(fixture(name)));
  });
});

test("a training checkpoint gives its state_dict, and its plain values as metadata", async () => {
  const { tensors, metadata } = await readTensors(fixture("lightning.ckpt"));
  expect([...tensors.keys()]).toEqual(["model.w"]);
  expect(await floats(tensors.get("model.w"))).toEqual([1, 2]);
  expect(metadata).toEqual({ epoch: "3", global_step: "100", lr: "0.00001" });
});

test("reads embeddings of the web UI and of the textual inversion repository", async () => {
  const one = await readTensors(fixture("embedding.pt"));
  expect([...one.tensors.keys()]).toEqual(["string_to_param.*"]);
  expect(one.metadata.name).toBe("trained-name");
  const two = await readTensors(fixture("embedding-old.pt"));
  expect([...two.tensors.keys()].sort()).toEqual(["string_to_param.*", "string_to_token.*"]);
  const key = "string_to_param.*";
  expect(await floats(two.tensors.get(key))).toEqual(await floats(one.tensors.get(key)));
});

test("the tensors of a list are named by their indices", async () => {
  const file = join(folder, "list.pt");
  const tensor =
    "ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x01tQ" +
    "K\0(K\x01t(K\x01t\x89NtR";
  const pickle = Buffer.from(`\x80\x02]${tensor}a.`, "latin1");
  await writeFile(file, zipOf({ "a/data.pkl": pickle, "a/data/0": Buffer.from(Float32Array.of(1.5).buffer) }));
  const { tensors } = await readTensors(file);
  expect([...tensors.keys()]).toEqual(["0"]);
  expect(await floats(tensors.get("0"))).toEqual([1.5]);
});

test("a lone tensor is named after its file", async () => {
  expect([...(await readTensors(fixture("lone-tensor.pt"))).tensors.keys()]).toEqual(["lone-tensor"]);
});

test("reads types that scalars may be stored in, which networks refuse", async () => {
  const { tensors } = await readTensors(fixture("short.pt"));
  expect(tensors.get("w")?.dtype).toBe("int16");
  expect(() => refuseStoredTypes(tensors)).toThrow(refusal("dtype-unsupported", "short.pt", '"w"', "I16"));
});

describe("a file with more than tensors, or an invalid one, is refused", () => {
  test.each<[string, ErrorCode, ...string[]]>([
    ["evil.pt", "pickle-refused", "posix.system", "weights_only=True"],
    ["module.pt", "pickle-refused", "torch.nn.modules.linear.Linear"],
    ["plain.pkl", "pickle-refused", "torch.save"],
    ["transposed.pt", "tensor-strided", '"w"', "[1, 3]"],
  ])("%s", async (name, code, ...facts) => {
    await expect(readTensors(fixture(name))).rejects.toThrow(refusal(code, fixture(name), ...facts));
    expect(existsSync("pickle-was-run")).toBe(false);
  });

  const pickled = async (text: string) => {
    const file = join(folder, "pickled.bin");
    await writeFile(file, `\x80\x02${text}`, "latin1");
    return file;
  };
  test.each<[string, string, ErrorCode, ...string[]]>([
    ["a name of another module", "cbuiltins\neval\n.", "pickle-refused", "builtins.eval"],
    ["the opcode of an old class", "(S'x'\nios\nsystem\n.", "pickle-refused", "opcode"],
    ["an extension", "\x82\x01.", "pickle-refused", "0x82"],
    ["a persistent id that is not a storage", "X\x01\0\0\0aQ.", "pickle-refused"],
    ["a call of a class that is only a name", "X\x01\0\0\0a)R.", "pickle-refused"],
    ["a call of a storage", "ctorch\nFloatStorage\n)R.", "pickle-refused", "torch.FloatStorage"],
    ["a pickle inside", "ctorch.storage\n_load_from_bytes\n.", "pickle-refused", "_load_from_bytes"],
    ["an empty stack", "0.", "torch-damaged"],
    ["no end", "}", "download-incomplete"],
    ["a text longer than the file", "X\xff\xff\xff\xff", "download-incomplete"],
    ["a number of a gigabyte", "\x8b\0\0\0\x40", "torch-damaged"],
    ["a memo that is not there", "h\x05.", "torch-damaged"],
  ])("%s", async (_name, text, code, ...facts) => {
    const file = await pickled(text);
    await expect(readTensors(file)).rejects.toThrow(refusal(code, file, ...facts));
  });

  test("a pickle of three million objects, before they use up the memory", async () => {
    const file = await pickled("}".repeat(3_000_000));
    await expect(readTensors(file)).rejects.toThrow(refusal("torch-damaged", file, "2000000"));
  });

  test("an incomplete download", async () => {
    for (const name of ["state-dict.pt", "state-dict-old.pt"]) {
      const bytes = await readFile(fixture(name));
      for (const part of [0.4, 0.9]) {
        const file = join(folder, name);
        await writeFile(file, bytes.subarray(0, bytes.length * part));
        await expect(readTensors(file)).rejects.toThrow(refusal("download-incomplete", file));
      }
    }
  });

  test("another zip, naming a file in it, and a compressed one", async () => {
    const file = join(folder, "archive.ckpt");
    await writeFile(file, zipOf({ "lora/cat.safetensors": Buffer.from("x") }));
    await expect(readTensors(file)).rejects.toThrow(refusal("not-weights", file, "lora/cat.safetensors"));
    await writeFile(file, zipOf({ "archive/data.pkl": Buffer.from("x") }, 8));
    await expect(readTensors(file)).rejects.toThrow(refusal("torch-damaged", file, "compressed"));
    await writeFile(file, zipOf({ "a/data.pkl": Buffer.from("."), "a/constants.pkl": Buffer.from(".") }));
    await expect(readTensors(file)).rejects.toThrow(refusal("not-weights", file, "TorchScript"));
  });

  test("a NumPy array among the tensors, by its key", async () => {
    const file = join(folder, "numpy.pt");
    const pickle = Buffer.from("\x80\x02}X\x01\0\0\0wcnumpy.core.multiarray\n_reconstruct\n)Rs.", "latin1");
    await writeFile(file, zipOf({ "a/data.pkl": pickle }));
    await expect(readTensors(file)).rejects.toThrow(refusal("pickle-refused", file, '"w"', "NumPy"));
  });

  test("a tensor whose storage is missing, too short, or overflows; one in zip64 is read", async () => {
    const file = join(folder, "wrong.pt");
    const pickle = (sizes: string) =>
      Buffer.from(
        "\x80\x02}X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n(" +
          "(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x01tQ" +
          `K\0(${sizes}t(${sizes}t\x89Ntr.`.replace("tr.", "tRs."),
        "latin1",
      );
    for (const [sizes, code] of [
      ["K\x01", undefined],
      ["K\x02", "tensor-strided"],
      ["\x8a\x07\xff\xff\xff\xff\xff\xff\x1f", "tensor-strided"],
    ] as const) {
      await writeFile(file, zipOf({ "a/data.pkl": pickle(sizes), "a/data/0": Buffer.alloc(4) }));
      if (code === undefined) expect((await readTensors(file)).tensors.get("w")!.byteLength).toBe(4);
      else await expect(readTensors(file)).rejects.toThrow(refusal(code, file));
    }
    // As in files beyond 4 GB.
    const four = Buffer.from(Float32Array.of(1.5).buffer);
    await writeFile(file, zipOf({ "a/data.pkl": pickle("K\x01"), "a/data/0": four }, 0, true));
    expect(await floats((await readTensors(file)).tensors.get("w"))).toEqual([1.5]);
    await writeFile(file, zipOf({ "a/data.pkl": pickle("K\x01"), "a/data/0": Buffer.alloc(3) }));
    await expect(readTensors(file)).rejects.toThrow(refusal("torch-damaged", file, '"w"'));
    await writeFile(file, zipOf({ "a/data.pkl": pickle("K\x01") }));
    await expect(readTensors(file)).rejects.toThrow(refusal("torch-damaged", file, "a/data/0"));
  });
});

describe("fuzzing", () => {
  const dice = chance(20_261_130);
  const opcodes = [
    ..."\x80\x95(012N\x88\x89JKM\x8a\x8bGX\x8c\x8dTUBC)\x85\x86\x87t]ae}su\x8f\x90c\x93R\x81bQqr\x94hj.",
  ];
  const words = [
    ...["ctorch\nFloatStorage\n", "cos\nsystem\n", "ccollections\nOrderedDict\n", "K\xff", "J\xff\xff\xff\xff"],
    ...["ctorch._utils\n_rebuild_tensor_v2\n", "ctorch._tensor\n_rebuild_from_type_v2\n", ")R", "\x8a\x08\xff\xff\xff"],
    "\x8a\x07\xff\xff\xff\xff\xff\xff\x1f",
  ];

  const changed = (valid: Buffer, from: number, to: number): Buffer<ArrayBuffer> => {
    const bytes = mutate(dice, valid, { words: dice.below(2) === 0 ? opcodes : words, from, to, text: false });
    return bytes.length === 0 ? Buffer.from(valid) : bytes;
  };

  const outcome = (read: typeof readTorchZip, bytes: Buffer<ArrayBuffer>): Promise<boolean> =>
    survives(
      async () => {
        const source: ByteSource = sourceOf("fuzzed", new Uint8Array(bytes));
        for (const { offset, byteLength, shape } of (await read("fuzzed", source)).tensors.values()) {
          if (
            !(
              offset >= 0 &&
              byteLength >= 0 &&
              offset + byteLength <= bytes.length &&
              shape.every(Number.isSafeInteger)
            )
          )
            throw new Error("a tensor outside its file");
        }
      },
      () => bytes.toString("base64"),
    );

  test("20,000 mutated pickles in a zip, 10,000 before zips, and 5,000 mutated archives", {
    timeout: 120_000,
  }, async () => {
    const zip = await readFile(fixture("state-dict.pt"));
    const old = await readFile(fixture("state-dict-old.pt"));
    const begin = zip.indexOf("data.pkl") + 8 + zip.readUInt16LE(28);
    const size = zip.indexOf("PK", begin, "latin1") - begin;
    const pickle = zip.subarray(begin, begin + size);
    const weights = Buffer.alloc(128);
    const keys = Array.from({ length: 12 }, (_, i) => [`a/data/${i}`, weights] as const);
    const count = async (times: number, read: typeof readTorchZip, make: () => Buffer<ArrayBuffer>) => {
      let valid = 0;
      for (let i = 0; i < times; i++) if (await outcome(read, make())) valid++;
      expectBoth(valid, times);
    };
    await count(20_000, readTorchZip, () =>
      zipOf({ "a/data.pkl": changed(pickle, 0, pickle.length), ...Object.fromEntries(keys) }),
    );
    await count(10_000, readTorchPickles, () => changed(old, 0, old.length));
    await count(5000, readTorchZip, () => changed(zip, 0, zip.length));
  });
});

/** A zip whose members are stored uncompressed, whatever `method` says; `wide` puts all sizes into zip64 fields. */
function zipOf(members: Readonly<Record<string, Buffer>>, method = 0, wide = false): Buffer<ArrayBuffer> {
  const parts: Buffer[] = [];
  const entries: Buffer[] = [];
  let at = 0;
  for (const [name, data] of Object.entries(members)) {
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(method, 8);
    local.writeUInt16LE(name.length, 26);
    const extra = Buffer.alloc(wide ? 28 : 0);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(method, 10);
    entry.writeUInt16LE(name.length, 28);
    entry.writeUInt16LE(extra.length, 30);
    if (wide) [extra.writeUInt16LE(1, 0), extra.writeUInt16LE(24, 2)];
    for (const [i, [place, value]] of [
      [24, data.length] as const,
      [20, data.length] as const,
      [42, at] as const,
    ].entries()) {
      entry.writeUInt32LE(wide ? 0xffffffff : value, place);
      if (wide) extra.writeBigUInt64LE(BigInt(value), 4 + 8 * i);
    }
    parts.push(local, Buffer.from(name), data);
    entries.push(entry, Buffer.from(name), extra);
    at += 30 + name.length + data.length;
  }
  const directory = Buffer.concat(entries);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt32LE(wide ? 0xffffffff : directory.length, 12);
  end.writeUInt32LE(wide ? 0xffffffff : at, 16);
  const end64 = Buffer.alloc(wide ? 76 : 0);
  if (wide) {
    end64.writeUInt32LE(0x06064b50, 0);
    end64.writeBigUInt64LE(BigInt(directory.length), 40);
    end64.writeBigUInt64LE(BigInt(at), 48);
    end64.writeUInt32LE(0x07064b50, 56);
    end64.writeBigUInt64LE(BigInt(at + directory.length), 64);
  }
  return Buffer.concat([...parts, directory, end64, end]);
}
