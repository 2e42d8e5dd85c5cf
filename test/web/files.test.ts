/** The browser's side of the file port: URLs, and the page's private file system. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { kindOf, list, withSource } from "../../src/bytes/web/file-source.ts";
import { refusal } from "../refusal.ts";

const read = (file: string) => withSource(file, async (source) => source.read(0, source.size));

describe("an address", () => {
  let server: Server;
  let url: string;
  beforeAll(async () => {
    server = createServer((_, answer) => void answer.writeHead(404).end());
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/model.safetensors`;
  });
  afterAll(() => server.close());

  test("without a file", async () => {
    await expect(read(url)).rejects.toThrow(refusal("address-unreachable", url, "404"));
  });

  test("of an unreachable server", async () => {
    const silent = "http://127.0.0.1:9/model.safetensors";
    await expect(read(silent)).rejects.toThrow(refusal("address-unreachable", silent));
  });

  test("cannot be listed as a folder", async () => {
    await expect(list(url)).rejects.toThrow(refusal("address-unreachable", url));
  });
});

describe("a missing name in the page's own file system", () => {
  const absent = async () => {
    throw new Error("NotFoundError");
  };
  beforeAll(() => {
    const folder = { getDirectoryHandle: absent, getFileHandle: absent };
    vi.stubGlobal("navigator", { storage: { getDirectory: async () => folder } });
  });
  afterAll(() => void vi.unstubAllGlobals());

  test("is reported as a missing file when read", async () => {
    await expect(read("opfs:/cat.safetensors")).rejects.toThrow(refusal("file-missing", "opfs:/cat.safetensors"));
    expect(await kindOf("opfs:/cat.safetensors")).toBeUndefined();
  });

  test("gives the same error when listed as a missing folder in Node", async () => {
    await expect(list("opfs:/cats")).rejects.toMatchObject({ code: "ENOENT" });
  });
});
