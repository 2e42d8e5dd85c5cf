/** Seeds that a JavaScript number cannot represent exactly are refused before anything is loaded. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { tiller } from "../../test/fake-world.ts";

let out: string;
beforeEach(async () => {
  out = await mkdtemp(join(tmpdir(), "tiller-seeds-"));
});
afterEach(() => rm(out, { recursive: true }));

const most = String(Number.MAX_SAFE_INTEGER);
const drawing = ["--model", "owner/sd", "--prompt", "a cat", "--steps", "1"];
const training = ["--images", "cats", "--token", "sks", "--class", "cat"];

test.each([
  [["generate", ...drawing], "2"],
  [["generate", ...drawing], "4"],
  [["sweep", ...drawing], "2"],
  [["sweep", ...drawing, "--omega", "0,1", "--guidance", "pg"], "4"],
])("%j from seed 2^53 - 1, %s pictures", async (argv, count) => {
  const { code, json, loads } = await tiller([...argv, "--seed", most, "--count", count, "--out", out, "--json"]);
  expect([code, json().error.code, loads]).toEqual([2, "seed-invalid", []]);
});

test.each(["generate", "sweep"])("tiller %s draws the picture of seed 2^53 - 1", async (command) => {
  const { code, requests } = await tiller([command, ...drawing, "--seed", most, "--out", out]);
  expect([code, requests.map(({ seed }) => seed)]).toEqual([0, [Number.MAX_SAFE_INTEGER]]);
});

test("tiller train, whose class images use the following seeds", async () => {
  const argv = ["train", "dreambooth", ...training, "--seed", most, "--out", join(out, "a.safetensors"), "--json"];
  const { code, json } = await tiller(argv);
  expect([code, json().error.code]).toEqual([2, "seed-invalid"]);
});
