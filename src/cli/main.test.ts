/** The built command, called as from a shell. Skipped without `npm run build`. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, open, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { refusal } from "../../test/refusal.ts";
import { writeStudyPictures } from "../../test/study-pictures.ts";

const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
// A tiny random model, saved with Diffusers by parity/make_fixtures.py.
const model = fileURLToPath(new URL("../../parity/fixtures/pipelines/sd15", import.meta.url));

let folder: string;
let pictures: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-main-"));
  pictures = join(folder, "pictures");
  await mkdir(pictures);
  await sharp({ create: { width: 32, height: 32, channels: 3, background: "teal" } }).toFile(join(pictures, "a.png"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function tiller(argv: readonly string[], stdout: "pipe" | number = "pipe") {
  const child = spawn(process.execPath, [main, ...argv], { stdio: ["ignore", stdout, "pipe"] });
  const said = { stdout: "", stderr: "" };
  child.stdout?.on("data", (chunk) => (said.stdout += chunk));
  child.stderr!.on("data", (chunk) => (said.stderr += chunk));
  const ended = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) =>
    child.on("close", (code) => resolve({ code, ...said })),
  );
  return { child, said, ended };
}

describe.skipIf(!existsSync(main))("the built tiller", () => {
  test("shows help with exit code 0", async () => {
    const { code, stdout } = await tiller(["--help"]).ended;
    expect([code, stdout]).toEqual([0, expect.stringContaining("Usage: tiller")]);
  });

  test("refuses a wrong call with exit code 2", async () => {
    const { code, stdout, stderr } = await tiller(["generate", "--omgea", "1"]).ended;
    expect([code, stdout, stderr]).toEqual([2, "", expect.stringContaining("--omega")]);
  });

  test("fails with exit code 1 on a model that is not there", async () => {
    const argv = ["generate", "--prompt", "a", "--model", join(folder, "none"), "--out", folder, "--json"];
    const { code, stdout, stderr } = await tiller(argv).ended;
    expect([code, JSON.parse(stdout).error]).toEqual([1, refusal("model-not-found", join(folder, "none"))]);
    expect(JSON.parse(stdout).error.exitCode).toBe(1);
    expect(stderr).not.toContain("    at ");
  });

  test("does not fail if the reader of a pipe exits", async () => {
    const { child, said, ended } = tiller(["generate", "--help"]);
    child.stdout!.destroy();
    const { code } = await ended;
    expect([code, said.stderr]).toEqual([0, ""]);
  });

  test.skipIf(!existsSync("/dev/full"))(
    "finishes its work if standard output is full, and fails with one line",
    async () => {
      const full = await open("/dev/full", "w");
      const out = join(folder, "unsaid");
      const argv = `generate --model ${model} --prompt a --steps 1 --device cpu --threads 1 --out ${out}`;
      const { code, stderr } = await tiller(argv.split(" "), full.fd).ended;
      await full.close();
      expect(code).toBe(1);
      expect(stderr).toMatch(/^tiller: .*standard output.*\n$/m);
      expect(stderr).not.toContain("    at ");
      expect(await readdir(out)).toEqual(["tiller-0-cfg.png"]);
    },
  );

  const one = `--model ${model} --prompt a --steps 1 --device cpu --threads 1`;
  test.skipIf(!existsSync("/dev/full")).each([
    ["inspect", `inspect ${model}`],
    ["doctor --json", "doctor --json"],
    ["generate --json", `generate ${one} --json --out OUT`],
  ])("%s fails with one sentence if standard output cannot be written", async (_, argv) => {
    const full = await open("/dev/full", "w");
    const { code, stderr } = await tiller(argv.replace("OUT", join(folder, "unsaid-json")).split(" "), full.fd).ended;
    await full.close();
    expect([code, stderr]).toEqual([1, expect.stringContaining("tiller: standard output could not be written")]);
  });

  // What runs at each moment depends on the machine: start-up, building networks, a step. The outcome must be the same.
  test.skipIf(!existsSync(model)).each([
    [500, "generate"],
    [1500, "generate"],
    [4000, "generate"],
    [1500, "train"],
    [4000, "train"],
  ])("ends at once, as by Ctrl-C, when interrupted twice after %i ms of tiller %s", async (delay, what) => {
    const out = join(folder, `twice-${what}-${delay}`);
    await mkdir(out);
    const long =
      what === "train"
        ? `train dreambooth --model ${model} --token sks --class cat --no-prior --steps 5000`
        : `generate ${one.replace("--steps 1", "--steps 900 --count 100")}`;
    const { child, ended } = tiller([
      ...long.split(" "),
      ...(what === "train" ? ["--images", pictures, "--out", join(out, "a.safetensors")] : ["--out", out]),
    ]);
    await wait(delay);
    child.kill("SIGTERM");
    child.kill("SIGINT");
    const { code, stderr } = await ended;
    // Shells report 130; the first signal may already have ended the process.
    expect(child.signalCode ?? code).toBeOneOf(["SIGINT", 130, "SIGTERM"]);
    expect(stderr).not.toContain("terminate called");
    expect((await readdir(out)).filter((name) => name.startsWith("."))).toEqual([]);
  });

  test("studio --json prints its URL while it runs", async () => {
    const { child, said, ended } = tiller(["studio", "--json", "--port", "0", "--data", join(folder, "studio")]);
    const line = new Promise<void>((done) => child.stdout!.on("data", () => said.stdout.includes("\n") && done()));
    await Promise.race([line, ended]);
    expect((await fetch(new URL("/api/models", JSON.parse(said.stdout).url))).status).toBe(200);
    child.kill("SIGINT");
    expect((await ended).stdout.split("\n")).toHaveLength(2);
  });

  test("study serve --json prints its participants' addresses while it runs", async () => {
    const study = join(folder, "study");
    const { file } = await writeStudyPictures(join(folder, "plants"), 1);
    const made = await tiller(["study", "make", file, "--out", study, "--participants", "2", "--json"]).ended;
    const { participants } = JSON.parse(made.stdout);
    const { child, said, ended } = tiller(["study", "serve", study, "--json", "--port", "0"]);
    const line = new Promise<void>((done) => child.stdout!.on("data", () => said.stdout.includes("\n") && done()));
    await Promise.race([line, ended]);
    const { url, addresses } = JSON.parse(said.stdout);
    expect(addresses.map(({ address }: { address: string }) => address)).toEqual(
      participants.map((code: string) => `${url}${code}/`),
    );
    expect((await fetch(addresses[1].address)).status).toBe(200);
    expect((await fetch(url)).status).toBe(404);
    child.kill("SIGINT");
    expect((await ended).stdout.split("\n")).toHaveLength(2);
  });

  test.skipIf(!existsSync(model))("stops on Ctrl-C with exit code 130, and leaves only complete pictures", async () => {
    const out = join(folder, "stopped");
    const argv = `generate --model ${model} --prompt a --steps 20 --count 5000 --device cpu --threads 1 --json --out ${out}`;
    const { child, ended } = tiller(argv.split(" "));
    while (child.exitCode === null && !(await readdir(out).catch(() => [])).some((name) => name.endsWith(".png"))) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    child.kill("SIGINT");
    const { code, stdout, stderr } = await ended;
    expect([code, stderr]).toEqual([130, expect.stringContaining("interrupted")]);
    const names = await readdir(out);
    expect(names.every((name) => /^tiller-\d+-cfg\.png$/.test(name))).toBe(true);
    expect(JSON.parse(stdout).pictures).toHaveLength(names.length);
    expect(names.length).toBeLessThan(5000);
  });

  test.skipIf(!existsSync(model))("stops on Ctrl-C within a step, not at the end of a picture", async () => {
    const out = join(folder, "stopped-within");
    const argv = `generate --model ${model} --prompt a --steps 900 --preview 1 --device cpu --threads 1 --out ${out}`;
    const { child, ended } = tiller(argv.split(" "));
    // The first of 900 steps is done once its preview exists.
    const previews = join(out, "previews");
    while (child.exitCode === null && (await readdir(previews).catch(() => [])).length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    child.kill("SIGINT");
    const { code, stderr } = await ended;
    expect([code, stderr]).toEqual([130, expect.stringContaining("interrupted")]);
    expect(await readdir(out)).toEqual(["previews"]);
  });
});
