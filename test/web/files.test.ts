/** Files as a browser has them, read by the browser's side of the port: addresses, and the page's private file system. */
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

  test("at which there is nothing", async () => {
    await expect(read(url)).rejects.toThrow(refusal("address-unreachable", url, "404"));
  });

  test("that no server answers", async () => {
    const silent = "http://127.0.0.1:9/model.safetensors";
    await expect(read(silent)).rejects.toThrow(refusal("address-unreachable", silent));
  });

  test("is no folder that could be listed", async () => {
    await expect(list(url)).rejects.toThrow(refusal("address-unreachable", url));
  });
});

describe("a name in the page's own file system that is not there", () => {
  const absent = async () => {
    throw new Error("NotFoundError");
  };
  beforeAll(() => {
    const folder = { getDirectoryHandle: absent, getFileHandle: absent };
    vi.stubGlobal("navigator", { storage: { getDirectory: async () => folder } });
  });
  afterAll(() => void vi.unstubAllGlobals());

  test("is a missing file to who reads it", async () => {
    await expect(read("opfs:/cat.safetensors")).rejects.toThrow(refusal("file-missing", "opfs:/cat.safetensors"));
    expect(await kindOf("opfs:/cat.safetensors")).toBeUndefined();
  });

  test("is to who lists it what a folder is that Node does not find", async () => {
    await expect(list("opfs:/cats")).rejects.toMatchObject({ code: "ENOENT" });
  });
});
