import { execFileSync } from "node:child_process";
import { mkdtemp, open, readdir, readFile, realpath, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chance, expectBoth, mutate, survives } from "../../test/fuzz.ts";
import { refusal } from "../../test/refusal.ts";
import type { ErrorCode } from "../errors/index.ts";
import { parseSafetensors, readBytes, readFloat32, readSafetensors, writeSafetensors } from "./safetensors.ts";
import { absentSource } from "./source.ts";
import { rows, type TensorRef } from "./tensor-ref.ts";

let folder: string;
beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "safetensors-")));
});
afterAll(() => rm(folder, { recursive: true }));

/** A safetensors file with the given header text and number of zero bytes of data. */
async function write(name: string, header: string | Uint8Array, dataLength = 0, declared?: bigint): Promise<string> {
  const json = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const bytes = new Uint8Array(8 + json.length + dataLength);
  new DataView(bytes.buffer).setBigUint64(0, declared ?? BigInt(json.length), true);
  bytes.set(json, 8);
  const file = join(folder, name);
  await writeFile(file, bytes);
  return file;
}

const tensor = (begin: number, end: number, rest = `"dtype":"F32","shape":[${(end - begin) / 4}]`) =>
  `{${rest},"data_offsets":[${begin},${end}]}`;

describe("a file the Python library wrote", () => {
  // safetensors.torch.save of six small tensors, with version 0.6 of the library; the values are in the assertions.
  const written =
    "gAEAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJmb3JtYXQiOiJwdCIsIsO8bsOvIjoiXCJxXCJcbiJ9LCJpIjp7ImR0eXBlIjoiSTY0Iiwic2hhcGUiOltd" +
    "LCJkYXRhX29mZnNldHMiOlswLDhdfSwiZCI6eyJkdHlwZSI6IkY2NCIsInNoYXBlIjpbMV0sImRhdGFfb2Zmc2V0cyI6WzgsMTZdfSwiYSI6eyJkdHlw" +
    "ZSI6IkYzMiIsInNoYXBlIjpbMSwzXSwiZGF0YV9vZmZzZXRzIjpbMTYsMjhdfSwiZSI6eyJkdHlwZSI6IkYzMiIsInNoYXBlIjpbMCwzXSwiZGF0YV9v" +
    "ZmZzZXRzIjpbMjgsMjhdfSwiYiI6eyJkdHlwZSI6IkJGMTYiLCJzaGFwZSI6WzJdLCJkYXRhX29mZnNldHMiOlsyOCwzMl19LCJoIjp7ImR0eXBlIjoi" +
    "RjE2Iiwic2hhcGUiOls0XSwiZGF0YV9vZmZzZXRzIjpbMzIsNDBdfX0gICAHAAAAAAAAAFVVVVVVVdU/AADAPwAAAMAAAIA+SUBK8QA8/3sBAACA";

  test("gives its tensors, values and metadata", async () => {
    const file = join(folder, "python.safetensors");
    await writeFile(file, Buffer.from(written, "base64"));
    const { tensors, metadata } = await readSafetensors(file);
    expect(metadata).toEqual({ format: "pt", ünï: '"q"\n' });
    expect([...tensors].map(([name, { shape, dtype }]) => [name, dtype, shape])).toEqual([
      ["i", "int64", []],
      ["d", "float64", [1]],
      ["a", "float32", [1, 3]],
      ["e", "float32", [0, 3]],
      ["b", "bfloat16", [2]],
      ["h", "float16", [4]],
    ]);
    const values = async (name: string) => [...(await readFloat32(tensors.get(name)!))];
    expect(await values("a")).toEqual([1.5, -2, 0.25]);
    expect(await values("d")).toEqual([Math.fround(1 / 3)]);
    expect(await values("e")).toEqual([]);
    expect(await values("h")).toEqual([1, 65504, 2 ** -24, -0]);
    expect((await values("b"))[0]).toBe(3.140625);
    expect([...(await readBytes(tensors.get("i")!))]).toEqual([7, 0, 0, 0, 0, 0, 0, 0]);
    await expect(readFloat32(tensors.get("i")!)).rejects.toThrow(refusal("dtype-unsupported", "i in", "int64"));
  });

  test("is found through a symbolic link, and its tensors name the real file", async () => {
    const real = join(folder, "blob");
    await writeFile(real, Buffer.from(written, "base64"));
    await symlink("blob", join(folder, "link.safetensors"));
    const { tensors } = await readSafetensors(join(folder, "link.safetensors"));
    expect(tensors.get("a")!.source.path).toBe(real);
  });
});

describe("writing", () => {
  test("gives back what was written, aligned to element sizes, and leaves no other file", async () => {
    const inside = await mkdtemp(join(folder, "write-"));
    const file = join(inside, "out.safetensors");
    const pieces = async function* () {
      yield new Uint8Array([1, 2]);
      yield new Uint8Array([3]);
    };
    await writeSafetensors(
      file,
      [
        { name: "z.u8", dtype: "uint8", shape: [3], data: pieces },
        { name: "a", dtype: "float32", shape: [2, 1], data: new Uint8Array(new Float32Array([0.5, -7]).buffer) },
        { name: "1", dtype: "float32", shape: [], data: new Uint8Array(new Float32Array([9]).buffer) },
        { name: "__proto__", dtype: "int64", shape: [1], data: new Uint8Array(8) },
      ],
      { format: "pt" },
    );
    const { tensors, metadata } = await readSafetensors(file);
    expect(metadata).toEqual({ format: "pt" });
    expect([...(await readFloat32(tensors.get("a")!))]).toEqual([0.5, -7]);
    expect([...(await readFloat32(rows(tensors.get("a")!, 1, 2)))]).toEqual([-7]);
    expect([...(await readFloat32(tensors.get("1")!))]).toEqual([9]);
    expect([...(await readBytes(tensors.get("z.u8")!))]).toEqual([1, 2, 3]);
    expect(tensors.get("__proto__")!.shape).toEqual([1]);
    expect(tensors.get("__proto__")!.offset % 8).toBe(0);
    expect(tensors.get("a")!.offset % 4).toBe(0);
    expect(await readdir(inside)).toEqual(["out.safetensors"]);
  });

  test("that fails halfway leaves only the old file", async () => {
    const inside = await mkdtemp(join(folder, "fail-"));
    const file = join(inside, "out.safetensors");
    await writeFile(file, "old");
    const data = async function* () {
      yield new Uint8Array(4);
      throw new Error("the source broke");
    };
    await expect(writeSafetensors(file, [{ name: "a", dtype: "float32", shape: [2], data }])).rejects.toThrow("broke");
    expect(await readFile(file, "utf8")).toBe("old");
    expect(await readdir(inside)).toEqual(["out.safetensors"]);
  });

  test("into a missing folder says so", async () => {
    const file = join(folder, "nowhere", "out.safetensors");
    await expect(writeSafetensors(file, [])).rejects.toThrow(refusal("file-not-written", file));
  });
});

describe("an invalid file is refused", () => {
  const cases: [name: string, file: () => Promise<string>, code: ErrorCode, ...facts: string[]][] = [
    ["missing", async () => join(folder, "missing"), "file-missing"],
    ["a folder", async () => folder, "file-unreadable"],
    ["empty", async () => empty(), "file-empty"],
    ["a link to nothing", async () => dangling(), "file-missing"],
    ["a link to itself", async () => loop(), "file-unreadable"],
    ["a zip of PyTorch", () => raw("model.bin", "504b0304140000000000"), "safetensors-invalid", "PyTorch"],
    ["a bare pickle", () => raw("weights", "80027d7100580100000061"), "safetensors-invalid", "PyTorch"],
    ["a byte", () => raw("model.ckpt", "00"), "safetensors-invalid", "1 byte"],
    ["text", () => raw("readme.md", "23204869207468657265210a"), "not-weights"],
    ["a header of 10 GB", () => write("10gb", '{"a":1', 0, 10_000_000_000n), "safetensors-invalid", "10000000000"],
    ["the largest number", () => write("max", "{}", 0, 2n ** 64n - 1n), "safetensors-invalid", "18446744073709551615"],
    ["a header longer than the file", () => write("long", "{}", 0, 3n), "safetensors-damaged", "3 bytes", "2"],
    ["no JSON", () => write("nojson", "hello"), "safetensors-invalid"],
    ["JSON that ends early", () => write("early", '{"a":{"dtype":"F32",'), "safetensors-damaged", "20"],
    ["something after the JSON", () => write("after", "{} {}"), "safetensors-damaged"],
    ["an array", () => write("array", "[]"), "safetensors-invalid"],
    ["not UTF-8", () => write("utf8", Uint8Array.from([0x7b, 0x22, 0xff, 0x22])), "safetensors-damaged", "UTF-8"],
    ["a name with a raw control character", () => write("ctl", `{"a\n":${tensor(0, 4)}}`, 4), "safetensors-damaged"],
    ["a wrong escape", () => write("esc", `{"a\\x":${tensor(0, 4)}}`, 4), "safetensors-damaged"],
    ["a nesting bomb", () => write("nest", `{"a":${"[".repeat(1_000_000)}`), "safetensors-damaged"],
    ["a nesting bomb in a shape", () => write("nest2", `{"a":{"shape":${"[".repeat(99_999)}`), "safetensors-damaged"],
    ["a nesting bomb of objects", () => write("nest3", `{"a":${'{"a":'.repeat(99_999)}`), "safetensors-damaged", '"a"'],
    [
      "a shape of a million axes",
      () => write("axes", `{"a":{"shape":[${"1,".repeat(1e6)}1]`),
      "safetensors-damaged",
      "32",
    ],
    [
      "a name given twice",
      () => write("dup", `{"a":${tensor(0, 4)},"a":${tensor(4, 8)}}`, 8),
      "safetensors-damaged",
      '"a"',
    ],
    [
      "a field given twice",
      () => write("dupf", '{"a":{"dtype":"F32","dtype":"F16"}}'),
      "safetensors-damaged",
      '"dtype"',
    ],
    [
      "an endless name",
      () => write("endless", `{"${"a".repeat(3000)}":${tensor(0, 4)}}`, 4),
      "safetensors-damaged",
      "3000",
    ],
    ["no offsets", () => write("nooff", '{"a":{"dtype":"F32","shape":[1]}}', 4), "safetensors-damaged", '"a"'],
    [
      "an unknown dtype",
      () => write("dt", `{"a":${tensor(0, 4, '"dtype":"F99","shape":[1]')}}`, 4),
      "safetensors-damaged",
      "F99",
    ],
    ["float4", () => write("f4", `{"a":${tensor(0, 4, '"dtype":"F4","shape":[8]')}}`, 4), "dtype-unsupported", "F4"],
    [
      "a negative size",
      () => write("neg", `{"a":${tensor(0, 4, '"dtype":"F32","shape":[-1,-1]')}}`, 4),
      "safetensors-damaged",
    ],
    [
      "a fraction",
      () => write("frac", `{"a":${tensor(0, 4, '"dtype":"F32","shape":[1.0]')}}`, 4),
      "safetensors-damaged",
    ],
    [
      "an exponent",
      () => write("exp", `{"a":${tensor(0, 4, '"dtype":"F32","shape":[1e0]')}}`, 4),
      "safetensors-damaged",
    ],
    ["a huge size", () => write("huge", '{"a":{"dtype":"F32","shape":[99999999999999999]}}'), "safetensors-damaged"],
    [
      "a size beyond 2^53",
      () => write("big", '{"a":{"dtype":"F32","shape":[9007199254740993]}}'),
      "safetensors-damaged",
    ],
    [
      "sizes whose product overflows",
      () => write("over", `{"a":${tensor(0, 4, '"dtype":"F32","shape":[4294967296,4294967296,4294967296]')}}`, 4),
      "safetensors-damaged",
      "0 to 4",
    ],
    [
      "offsets that disagree with the shape",
      () => write("dis", `{"a":${tensor(0, 8, '"dtype":"F32","shape":[1]')}}`, 8),
      "safetensors-damaged",
      "8",
    ],
    [
      "offsets backwards",
      () => write("back", `{"a":${tensor(4, 0, '"dtype":"F32","shape":[1]')}}`, 4),
      "safetensors-damaged",
      "4 to 0",
    ],
    [
      "offsets beyond the file",
      () => write("beyond", `{"a":${tensor(0, 8)}}`, 4),
      "safetensors-damaged",
      "byte 8",
      "4 bytes",
    ],
    [
      "overlapping tensors",
      () => write("lap", `{"a":${tensor(0, 8)},"b":${tensor(4, 12)}}`, 12),
      "safetensors-damaged",
      '"b"',
    ],
    ["a hole", () => write("hole", `{"a":${tensor(0, 4)},"b":${tensor(8, 12)}}`, 12), "safetensors-damaged", "4 to 8"],
    ["bytes left over", () => write("left", `{"a":${tensor(0, 4)}}`, 12), "safetensors-damaged", "4 of 12"],
    ["a number as metadata", () => write("meta", '{"__metadata__":{"a":1}}'), "safetensors-damaged"],
  ];
  const raw = async (name: string, hex: string) => {
    await writeFile(join(folder, name), Buffer.from(hex, "hex"));
    return join(folder, name);
  };
  const empty = () => raw("empty", "");
  const dangling = async () => {
    await symlink("nothing", join(folder, "dangling"));
    return join(folder, "dangling");
  };
  const loop = async () => {
    await symlink("loop", join(folder, "loop"));
    return join(folder, "loop");
  };

  test.each(cases)("%s", async (_name, file, code, ...facts) => {
    const path = await file();
    await expect(readSafetensors(path)).rejects.toThrow(refusal(code, path, ...facts));
  });

  test.skipIf(process.platform === "win32")("a named pipe, without waiting for a writer", async () => {
    execFileSync("mkfifo", [join(folder, "pipe")]);
    await expect(readSafetensors(join(folder, "pipe"))).rejects.toThrow(refusal("file-unreadable"));
  });

  test("a file of 100 GB with an endless header of 99 MB takes little work", async () => {
    const file = await write("sparse", "{", 0, 99_000_000n);
    await truncate(file, 100_000_000_000);
    const began = process.cpuUsage();
    await expect(readSafetensors(file)).rejects.toThrow(refusal("safetensors-damaged", file));
    // Reading 99 MB of zeros takes 0.1 s of CPU time, however busy the machine is.
    const { user, system } = process.cpuUsage(began);
    expect((user + system) / 1e6).toBeLessThan(3);
  });

  test("a tensor whose file was truncated after it was opened", async () => {
    const file = await write("cut", `{"a":${tensor(0, 400)}}`, 400);
    const ref = (await readSafetensors(file)).tensors.get("a")!;
    await truncate(file, 100);
    await expect(readFloat32(ref)).rejects.toThrow(refusal("file-changed", file));
  });
});

describe("fuzzing", () => {
  const dice = chance(20_250_731);
  const header =
    '{"__metadata__":{"format":"pt"},"down.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},' +
    '"up":{"dtype":"BF16","shape":[4],"data_offsets":[24,32]},"s":{"dtype":"I64","shape":[],"data_offsets":[32,40]}}  ';
  const valid = (() => {
    const json = new TextEncoder().encode(header);
    const bytes = new Uint8Array(8 + json.length + 40);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
    bytes.set(json, 8);
    return Buffer.from(bytes);
  })();
  const words = [
    ...'{ } [ ] : , " \\ 0 - 1e9 0.5 9007199254740993 18446744073709551616 -1 null true __proto__ F8_E5M2 F16 BOOL'.split(
      " ",
    ),
    ...['"a":', "data_offsets", '"shape":[', "[0,0]", '{"dtype":', "\u0000", "\\u0000", "\\ud800", "é", "[[[[", '{"":'],
    header.slice(32, 98),
  ];

  /** A mutated file; half of them get a correct header length, so that the JSON is parsed. */
  function mutated(): Buffer {
    const bytes = mutate(dice, valid, { words });
    if (dice.below(8) === 0 && bytes.length >= 8)
      bytes.writeBigUInt64LE(BigInt(Math.floor(dice.random() ** 8 * 2 ** 53)), 0);
    if (dice.random() < 0.5 && bytes.length > 48) bytes.writeBigUInt64LE(BigInt(bytes.length - 48), 0);
    return bytes;
  }

  function check(tensors: ReadonlyMap<string, TensorRef>, size: number) {
    for (const { offset, byteLength } of tensors.values()) {
      if (!(offset >= 8 && byteLength >= 0 && offset + byteLength <= size))
        throw new Error("a tensor outside its file");
    }
  }

  test("30,000 mutated headers give a valid result or a TillerError", async () => {
    let valids = 0;
    for (let i = 0; i < 30_000; i++) {
      const bytes = mutated();
      const header = bytes.subarray(8, Math.max(8, bytes.length - 40));
      const source = { ...absentSource("fuzzed"), size: 8 + header.length + 40 };
      const read = () => check(parseSafetensors(header, source).tensors, bytes.length);
      if (await survives(read, () => JSON.stringify(bytes.toString()))) valids++;
    }
    expectBoth(valids, 30_000);
  });

  test("3,000 mutated files on disk give a valid result or a TillerError", async () => {
    const file = join(folder, "fuzzed.safetensors");
    const handle = await open(file, "w");
    try {
      for (let i = 0; i < 3000; i++) {
        const bytes = mutated();
        await handle.truncate(0);
        await handle.write(bytes, 0, bytes.length, 0);
        await survives(
          async () => check((await readSafetensors(file)).tensors, bytes.length),
          () => JSON.stringify(bytes.toString()),
        );
      }
    } finally {
      await handle.close();
    }
  });
});

test("reads an array of 4 GiB, and refuses a longer one before any of it is read", async () => {
  const asked: number[] = [];
  // Only the length of what is read is looked at.
  const read = async (_: number, byteLength: number) => {
    asked.push(byteLength);
    return { byteLength } as Uint8Array<ArrayBuffer>;
  };
  const source = { name: "large.safetensors", size: 2 ** 34, read };
  const large = (byteLength: number): TensorRef => ({
    name: "w",
    dtype: "uint8",
    shape: [byteLength],
    source,
    offset: 0,
    byteLength,
  });
  expect((await readBytes(large(2 ** 32))).byteLength).toBe(2 ** 32);
  await expect(readBytes(large(2 ** 32 + 1))).rejects.toThrow(refusal("file-too-large", "w", "large.safetensors"));
  expect(asked).toEqual([2 ** 32]);
});
