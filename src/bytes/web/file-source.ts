/** Reads addresses with range requests, and files of the page's private file system. */
import { TillerError } from "../../errors/index.ts";
import type { ByteSource } from "../source.ts";
import { folderAt, ofPage, storedFile } from "./private-files.ts";

/**
 * Passes a file to `use`.
 *
 * @throws TillerError if it does not exist or cannot be reached.
 */
export async function withSource<T>(file: string, use: (source: ByteSource) => Promise<T>): Promise<T> {
  return use(ofPage(file) ? blobSource(file, await storedFile(file)) : await addressSource(file));
}

/** A file that the user picked or dropped. */
export const blobSource = (name: string, blob: Blob): ByteSource => ({
  name,
  size: blob.size,
  read: async (at, length) => new Uint8Array(await blob.slice(at, at + length).arrayBuffer()),
});

async function addressSource(address: string): Promise<ByteSource> {
  const answer = await reach(address, { headers: { range: "bytes=0-0" } });
  const total = /\/(\d+)$/.exec(answer.headers.get("content-range") ?? "")?.[1];
  // A server without range requests sends everything at once.
  if (answer.status !== 206 || total === undefined) return blobSource(address, await answer.blob());
  const size = Number(total);
  return {
    name: address,
    size,
    remote: true,
    async read(at, length) {
      const end = Math.min(size, at + length) - 1;
      if (end < at) return new Uint8Array(0);
      const part = await reach(address, { headers: { range: `bytes=${at}-${end}` } });
      return new Uint8Array(await part.arrayBuffer());
    },
  };
}

async function reach(address: string, init: RequestInit): Promise<Response> {
  const answer = await fetch(address, init).catch((error: unknown) => {
    throw new TillerError("address-unreachable", `${address} cannot be reached: check the connection.`, {
      cause: error,
    });
  });
  if (answer.ok) return answer;
  throw new TillerError("address-unreachable", `${address} cannot be read: the server answered ${answer.status}.`);
}

export async function exists(path: string): Promise<boolean> {
  return (await kindOf(path)) !== undefined;
}

export async function kindOf(path: string): Promise<"file" | "folder" | undefined> {
  if (!ofPage(path)) return (await fetch(path, { method: "HEAD" }).catch(() => undefined))?.ok ? "file" : undefined;
  if (await storedFile(path).catch(() => undefined)) return "file";
  return (await folderAt(path).catch(() => undefined)) ? "folder" : undefined;
}

export async function list(folder: string): Promise<string[]> {
  if (!ofPage(folder)) {
    throw new TillerError(
      "address-unreachable",
      `${folder} is an address, whose files cannot be listed: copy them to opfs:/ first.`,
    );
  }
  const names: string[] = [];
  const opened = await folderAt(folder).catch((cause: unknown) => {
    // The same code as Node's error, which callers of `list` check.
    throw Object.assign(new Error(`${folder} does not exist`, { cause }), { code: "ENOENT" });
  });
  for await (const name of opened.keys()) names.push(name);
  return names;
}

export async function stampOf(file: string): Promise<string> {
  if (!ofPage(file)) return "";
  const { size, lastModified } = await storedFile(file);
  return `${size}|${lastModified}`;
}
