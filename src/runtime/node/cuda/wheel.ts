/** Reads a wheel of onnxruntime-gpu: name and version, requirements, files. */
import { createReadStream, createWriteStream } from "node:fs";
import { stat } from "node:fs/promises";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createInflateRaw } from "node:zlib";
import { withSource } from "../../../bytes/node/file-source.ts";
import type { ByteSource } from "../../../bytes/source.ts";
import { type Member, placeOfPacked, readDirectory, ZipError } from "../../../bytes/torch/zip.ts";
import { TillerError } from "../../../errors/index.ts";
import { commitIn } from "./commit.ts";

export interface Wheel {
  readonly file: string;
  /** The distribution's name and version. */
  readonly name: string;
  readonly version: string;
  /** The NVIDIA packages that its CUDA provider requires, for pip: `nvidia-cufft~=12.0`. */
  readonly nvidia: readonly string[];
  /** Unpacks a library. */
  unpack(library: string, to: string): Promise<void>;
  /** The commit that its ONNX Runtime was built from, if it says so. */
  commit(scratch: string): Promise<string | undefined>;
}

/** @throws TillerError `cuda-install-failed` if it is not a wheel, or damaged. */
export async function openWheel(file: string): Promise<Wheel> {
  return withSource(file, async (source) => {
    const members = await orRefused(file, readDirectory(source));
    const metadata = members.find(({ name }) => /^[^/]+\.dist-info\/METADATA$/.test(name));
    if (!metadata) throw refused(file, "it has no METADATA");
    const lines = (await textOf(file, source, metadata)).split("\n\n")[0]!.split(/\r?\n/);
    const field = (name: string) =>
      lines
        .find((line) => line.startsWith(`${name}: `))
        ?.slice(name.length + 2)
        .trim();
    const named = (library: string) => members.find(({ name }) => name.endsWith(`/${library}`));
    const unpack = async (member: Member, to: string) => {
      const from = await orRefused(file, placeOfPacked(source, member));
      await inflate(file, from, member, to);
    };
    return {
      file,
      name: field("Name") ?? "",
      version: field("Version") ?? "",
      nvidia: lines.flatMap((line) => requirement(line) ?? []),
      async unpack(library, to) {
        const member = named(library);
        if (!member) throw refused(file, `it has no ${library}`);
        await unpack(member, to);
      },
      async commit(scratch) {
        const runtime = members.find(({ name }) => /\/libonnxruntime\.so(\.[\d.]+)?$/.test(name));
        if (!runtime) return undefined;
        await unpack(runtime, scratch);
        return commitIn(scratch);
      },
    };
  });
}

/** `Requires-Dist: nvidia-cufft~=12.0; extra == "cuda"`: requirements of the extras cuda and cudnn. */
const requirement = (line: string): string | undefined =>
  /^Requires-Dist:\s*(nvidia-[^;]+?)\s*;.*extra\s*==\s*["'](?:cuda|cudnn)["']/.exec(line)?.[1]?.replaceAll(" ", "");

async function textOf(file: string, source: ByteSource, member: Member): Promise<string> {
  const from = await orRefused(file, placeOfPacked(source, member));
  const chunks: Buffer[] = [];
  for await (const chunk of unpacked(file, from, member)) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

async function inflate(file: string, from: number, member: Member, to: string): Promise<void> {
  await pipeline(unpacked(file, from, member), createWriteStream(to)).catch((error: NodeJS.ErrnoException) => {
    if (error.code?.startsWith("Z_")) throw refused(file, `${member.name} is damaged`);
    throw error;
  });
  if ((await stat(to)).size !== member.size) throw refused(file, `${member.name} is damaged`);
}

function unpacked(file: string, from: number, { name, method, encrypted, packed }: Member): NodeJS.ReadableStream {
  if (encrypted || (method !== 0 && method !== 8))
    throw refused(file, `${name} is encrypted, or compressed with an unknown method`);
  const bytes = packed === 0 ? Readable.from([]) : createReadStream(file, { start: from, end: from + packed - 1 });
  if (method === 0) return bytes;
  const inflating = createInflateRaw();
  // `pipe` passes on no errors.
  bytes.on("error", (error: Error) => inflating.destroy(error));
  return bytes.pipe(inflating);
}

const orRefused = <T>(file: string, reading: Promise<T>): Promise<T> =>
  reading.catch((error: unknown) => {
    throw error instanceof ZipError ? refused(file, error.message, error) : error;
  });

const refused = (file: string, why: string, cause?: unknown): TillerError =>
  new TillerError("cuda-install-failed", `${file} is not an intact wheel of onnxruntime-gpu: ${why}.`, {
    paths: [file],
    cause,
  });
