/** Commands write only the requested files. Everything runs in a process with an empty home folder. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { refusal } from "./refusal.ts";

const dist = (path: string) => fileURLToPath(new URL(`../dist/${path}`, import.meta.url));
const execute = promisify(execFile);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-quiet-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs node with its own home and temporary folders, and lists the files it left there. */
async function leftBy(...args: string[]): Promise<string[]> {
  const home = await mkdtemp(join(folder, "home-"));
  const { ORT_DISABLE_TELEMETRY: _, XDG_CACHE_HOME: __, ...env } = process.env;
  const own = { HOME: home, USERPROFILE: home, LOCALAPPDATA: home, TMPDIR: home, TEMP: home, TMP: home };
  await execute(process.execPath, args, { cwd: folder, env: { ...env, ...own } });
  return readdir(home, { recursive: true });
}

const main = dist("cli/main.js");

describe("ONNX Runtime's telemetry", () => {
  test("drawing leaves nothing but the picture", async () => {
    expect(await leftBy(main, "generate", "--prompt", "a cat", "--steps", "1", "--out", join(folder, "out"))).toEqual(
      [],
    );
  });

  test("probing devices leaves nothing", async () => {
    expect(await leftBy(main, "doctor")).toEqual([]);
  });

  test("using the library leaves nothing", async () => {
    const program = `
      const { Pipeline } = await import(${JSON.stringify(dist("index.js"))});
      const pipeline = await Pipeline.load("dinghy", { device: "cpu" });
      for await (const event of pipeline.generate({ prompt: "a cat", steps: 1 })) event;
      await pipeline.close();`;
    expect(await leftBy("--input-type=module", "--eval", program)).toEqual([]);
  });

  test("does not crash on a command line of 25 kB", async () => {
    const prompt = "a cat ".repeat(4200);
    await leftBy(main, "generate", "--prompt", prompt, "--steps", "1", "--out", join(folder, "long"));
    expect(await readdir(join(folder, "long"))).toEqual(["tiller-0-cfg.png"]);
  });

  test("loading is refused in a worker thread that cannot disable telemetry", async () => {
    const program = `
      const { parentPort } = require("node:worker_threads");
      import(${JSON.stringify(dist("index.js"))})
        .then(({ Pipeline }) => Pipeline.load("dinghy", { device: "cpu" }))
        .catch(({ code, message }) => parentPort.postMessage({ code, message }));`;
    const worker = new Worker(program, { eval: true, env: {}, execArgv: [] });
    const [told] = await once(worker, "message");
    expect(told).toEqual(refusal("telemetry-in-worker", "ORT_DISABLE_TELEMETRY=1"));
  });
});
