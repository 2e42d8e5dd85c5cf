/** What goes wrong around jobs, in one sentence each. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { refusal } from "../../test/refusal.ts";
import { openFolderStore } from "./folder-store.ts";
import { forkWorker } from "./forked.ts";
import { optional } from "./optional-package.ts";
import { openS3Store } from "./s3-store.ts";

const key = "pictures-0123456789abcdef0123";
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
});
afterEach(() => rm(folder, { recursive: true }));

test("a package that is not installed is named with the command that installs it", async () => {
  const load = () => import("a-package-that-is-not-there" as string);
  await expect(
    optional("bullmq ioredis", async () => {
      try {
        return await load();
      } catch (cause) {
        // Vite words it in its own way; Node gives this code.
        throw Object.assign(new Error("not found", { cause }), { code: "ERR_MODULE_NOT_FOUND" });
      }
    }),
  ).rejects.toThrow(refusal("package-missing", "npm install bullmq ioredis"));
  const broken = new TypeError("broken");
  await expect(optional("pg", async () => Promise.reject(broken))).rejects.toBe(broken);
});

test("a result that a store does not have", async () => {
  const store = openFolderStore(join(folder, "store"));
  await expect(store.fetch(key, join(folder, "into"))).rejects.toThrow(refusal("result-missing", "removed"));
});

test("a store without credentials, and one that refuses them", async () => {
  await expect(openS3Store("s3://bucket/prefix", { env: {} })).rejects.toThrow(
    refusal("store-refused", "AWS_ACCESS_KEY_ID"),
  );
  const server = createServer((_, answer) => answer.writeHead(403).end("<Error><Code>AccessDenied</Code></Error>"));
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  try {
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const env = { AWS_ACCESS_KEY_ID: "a", AWS_SECRET_ACCESS_KEY: "b", AWS_ENDPOINT_URL: endpoint };
    const store = await openS3Store("s3://bucket/prefix", { env });
    await expect(store.publish(key, folder)).rejects.toThrow(refusal("store-refused", "403"));
  } finally {
    await new Promise((closed) => server.close(closed));
  }
});

test("a worker process that ends in the middle of a job", async () => {
  const script = join(folder, "worker.mjs");
  await writeFile(script, 'process.on("message", ({ job }) => job && process.exit(3));');
  const worker = forkWorker(script, {});
  const job = { id: key, kind: "draw", queue: "q", priority: 0, data: {} } as const;
  const at = { signal: new AbortController().signal, progress: () => {} };
  await expect(worker.handler(job, at)).rejects.toThrow(refusal("worker-ended", "code 3", key));
  await worker.close();
});
