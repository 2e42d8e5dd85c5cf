/** The library in a browser: it bundles without Node modules, and its runtime works in Chromium. */
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { build, type Plugin } from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { skipped } from "./skipped.ts";

const page = (name: string) => fileURLToPath(new URL(`./web/${name}`, import.meta.url));

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-web-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** Bundles a page's script as an application would, and lists its Node imports. */
async function bundle(entry: string, outDir: string): Promise<string[]> {
  const ofNode: string[] = [];
  const watching: Plugin = {
    name: "asks-of-node",
    enforce: "pre",
    resolveId(id, importer) {
      if (/^node:|onnxruntime-node|^sharp$|resvg/.test(id)) ofNode.push(`${id} from ${importer}`);
    },
  };
  await build({
    configFile: false,
    logLevel: "silent",
    plugins: [watching],
    build: { outDir, emptyOutDir: true, rolldownOptions: { input: entry, output: { entryFileNames: "page.js" } } },
  });
  return ofNode;
}

test('import "tillerjs" bundles for the browser with no Node module in it', async () => {
  const out = join(folder, "library");
  expect(await bundle(page("library.js"), out)).toEqual([]);
  const code = await readFile(join(out, "page.js"), "utf8");
  expect(code).toContain("load");
  // Vite's placeholder for Node modules.
  expect(code).not.toMatch(/__vite-browser-external|externalized for browser/);
});

test("tillerjs/client bundles for the browser with nothing of the server or the library in it", async () => {
  const out = join(folder, "client");
  expect(await bundle(page("client.js"), out)).toEqual([]);
  const code = await readFile(join(out, "page.js"), "utf8");
  expect(code).toContain("/api/jobs");
  expect(code).not.toMatch(/zod|hono|onnx/i);
  // In bytes: only a few fetch calls.
  expect(code.length).toBeLessThan(10_000);
});

const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);
const without = skipped(executablePath, "Chromium is not installed; the browser's runtime is not tested.");

describe.skipIf(without)("the browser's runtime", () => {
  const out = () => join(folder, "graph");
  let server: Server;
  beforeAll(async () => {
    await bundle(page("graph.js"), out());
    await writeFile(join(out(), "index.html"), '<!doctype html><script type="module" src="/page.js"></script>');
    const types = {
      ".html": "text/html",
      ".js": "text/javascript",
      ".mjs": "text/javascript",
      ".wasm": "application/wasm",
    };
    server = createServer(async (request, answer) => {
      const path = join(out(), request.url === "/" ? "index.html" : request.url!.replaceAll("..", ""));
      const body = await readFile(path).catch(() => undefined);
      const type = types[extname(path) as keyof typeof types] ?? "text/plain";
      answer.writeHead(body ? 200 : 404, { "content-type": type }).end(body);
    });
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  });
  afterAll(() => server.close());

  test("compiles and runs a graph with weights in memory, from the page's own files", async () => {
    const browser = await chromium.launch({ executablePath: executablePath!, args: ["--no-sandbox"] });
    try {
      const tab = await browser.newPage();
      const { port } = server.address() as AddressInfo;
      const elsewhere: string[] = [];
      tab.on("request", (request) => {
        const url = new URL(request.url());
        if (url.protocol.startsWith("http") && url.port !== String(port)) elsewhere.push(request.url());
      });
      await tab.goto(`http://127.0.0.1:${port}/`);
      await tab.waitForFunction("document.title !== ''", undefined, { timeout: 300_000 });
      const title = await tab.title();
      expect(title).toMatch(/^came out: /);
      const numbers = title.slice("came out: ".length).split(" ").map(Number);
      // x + 1 = [1, 2, 3, 4] times rows of -1, -0.75, … and 0, 0.25, …: -5 and 5; SiLU; normalised to -1 and 1.
      const due = [-5, 5].map((v) => v / (1 + Math.exp(-v)));
      for (const [i, value] of [...due, -1, 1].entries()) expect(numbers[i]).toBeCloseTo(value, 4);
      expect(elsewhere).toEqual([]);
    } finally {
      await browser.close();
    }
  });
});
