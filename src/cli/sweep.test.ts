import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterEach, beforeEach, expect, test } from "vitest";
import { refused, tiller } from "../../test/fake-world.ts";
import { refusal } from "../../test/refusal.ts";

let out: string;
beforeEach(async () => {
  out = await mkdtemp(join(tmpdir(), "tiller-sweep-"));
});
afterEach(() => rm(out, { recursive: true, force: true }));

const sweep = ["sweep", "--model", "owner/sd", "--prompt", "a red cat", "--steps", "2"];

test("tiller sweep writes every picture, a sheet of them and a record", async () => {
  const argv = ["--guidance", "cfg,pg", "--omega", "0:1:0.5", "--seed", "0,1,5", "--out", out, "--json"];
  const { code, requests, json } = await tiller([...sweep, ...argv], { batch: 2 });
  expect(code).toBe(0);
  // Consecutive seeds are one request.
  expect(requests.map(({ guidance, omega, seed, count }) => [guidance, omega, seed, count])).toEqual([
    ["cfg", 0.6, 0, 2],
    ["cfg", 0.6, 5, 1],
    ["pg", 0, 0, 2],
    ["pg", 0, 5, 1],
    ["pg", 0.5, 0, 2],
    ["pg", 0.5, 5, 1],
    ["pg", 1, 0, 2],
    ["pg", 1, 5, 1],
  ]);
  expect(await readdir(out)).toHaveLength(12 + 2);
  expect(await readdir(out)).toEqual(expect.arrayContaining(["tiller-5-pg-w0.5.png", "sheet.png", "sweep.json"]));

  const record = JSON.parse(await readFile(join(out, "sweep.json"), "utf8"));
  expect(record).toMatchObject({
    complete: true,
    sheet: join(out, "sheet.png"),
    axes: { omega: [0, 0.5, 1], seed: [0, 1, 5] },
  });
  expect(record.pictures).toHaveLength(12);
  expect(record.pictures[11]).toMatchObject({ seed: 5, row: 3, column: 2, file: join(out, "tiller-5-pg-w1.png") });
  expect(record.pictures[11].recipe.request).toMatchObject({ guidance: "pg", omega: 1, seed: 5, count: 1 });
  expect(json()).toMatchObject({ sheet: join(out, "sheet.png"), record: join(out, "sweep.json"), complete: true });
  const { width = 0, height = 0 } = await sharp(join(out, "sheet.png")).metadata();
  expect(width).toBeGreaterThan(3 * 128);
  expect(height).toBeGreaterThan(4 * 64);
});

test("file names include the settings that vary", async () => {
  await tiller([...sweep, "--scale", "5,7.5", "--sampler", "ddim,euler", "--out", out]);
  expect((await readdir(out)).filter((name) => name.startsWith("tiller"))).toEqual([
    "tiller-0-cfg-s5-ddim.png",
    "tiller-0-cfg-s5-euler.png",
    "tiller-0-cfg-s7.5-ddim.png",
    "tiller-0-cfg-s7.5-euler.png",
  ]);
});

test("--from gives the settings that are not varied", async () => {
  await tiller([
    "generate",
    "--model",
    "owner/sd",
    "--prompt",
    "a cat",
    "--guidance",
    "pg",
    "--scale",
    "6",
    "--steps",
    "3",
    "--seed",
    "8",
    "--out",
    out,
  ]);
  const from = ["sweep", "--from", join(out, "tiller-8-pg-w0.6.png"), "--omega", "0,1", "--out", out];
  const { requests } = await tiller(from);
  expect(
    requests.map(({ prompt, guidance, scale, steps, seed, omega }) => [prompt, guidance, scale, steps, seed, omega]),
  ).toEqual([
    ["a cat", "pg", 6, 3, 8, 0],
    ["a cat", "pg", 6, 3, 8, 1],
  ]);
});

test("a second sweep into the same folder overwrites nothing", async () => {
  await tiller([...sweep, "--out", out]);
  await tiller([...sweep, "--out", out]);
  expect((await readdir(out)).sort()).toEqual([
    "sheet-2.png",
    "sheet.png",
    "sweep-2.json",
    "sweep.json",
    "tiller-0-cfg-2.png",
    "tiller-0-cfg.png",
  ]);
});

test("an interrupted sweep leaves a sheet and a record of its pictures", async () => {
  const controller = new AbortController();
  let steps = 0;
  const onStep = () => {
    if (++steps === 6) controller.abort();
  };
  const argv = [...sweep, "--guidance", "pg", "--omega", "0:1:0.1", "--out", out];
  const { code } = await tiller(argv, { onStep }, controller);
  expect(code).toBe(130);
  const record = JSON.parse(await readFile(join(out, "sweep.json"), "utf8"));
  expect([record.complete, record.pictures.length]).toEqual([false, 2]);
  expect((await readdir(out)).sort()).toEqual([
    "sheet.png",
    "sweep.json",
    "tiller-0-pg-w0.1.png",
    "tiller-0-pg-w0.png",
  ]);
});

test.each([
  [["--omega", "0:1:0.1"], "sweep-idle-axis", "--omega"],
  [["--guidance", "cfg,gp"], "option-invalid", "--guidance gp"],
  [["--steps", "10,0"], "option-invalid", "--steps 0"],
  [["--seed", "0:20000"], "option-invalid", "--seed 0:20000"],
  [["--seed", "0:9999", "--scale", "5,6"], "too-many-pictures", "20000"],
  [["--seed", "0", "--count", "20000"], "too-many-pictures", "--count 20000"],
  [["--seed", "0,-4"], "option-invalid", "--seed -4"],
  [["--scale", "0:1:0"], "option-invalid", "--scale 0:1:0"],
] as const)("tiller sweep %j ends with exit code 2", async (argv, kind, fact) => {
  const { code, error, loads } = await refused([...sweep, "--out", out, ...argv]);
  expect([code, error, loads]).toEqual([2, refusal(kind, fact), []]);
});
