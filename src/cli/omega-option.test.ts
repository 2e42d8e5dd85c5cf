/** Omega as an option: one, or a list. */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { tiller } from "../../test/fake-world.ts";
import { refusal } from "../../test/refusal.ts";
import { parseOmega, parseOmegas } from "./omega-option.ts";

test.each([
  ["0.6", 0.6],
  ["-1e-1", -0.1],
  ["linear:0.2..0.8", "linear:0.2..0.8"],
  ["down=0,mid=0.6,up=1", "down=0,mid=0.6,up=1"],
])("--omega %s is one", (text, omega) => {
  expect(parseOmega("--omega", text)).toBe(omega);
});

test.each(["linear:0.2", "down=", "0.6,", "up=0,up=1", "cosine:a..b"])(
  "--omega %s is refused with the forms",
  (text) => {
    expect(() => parseOmega("--omega", text)).toThrow(refusal("option-invalid", `--omega ${text}`, "linear:0.2..0.8"));
  },
);

test.each([
  ["0:1:0.5", [0, 0.5, 1]],
  ["0.3,linear:0..1, 0.6", [0.3, "linear:0..1", 0.6]],
  ["down=0,up=1", ["down=0,up=1"]],
  ["0.6; down=0,up=1 ;0:0.2:0.1;linear:0..1", [0.6, "down=0,up=1", 0, 0.1, 0.2, "linear:0..1"]],
  ["linear:0..1,linear:0..1", ["linear:0..1"]],
])("--omega %s is a list", (text, omegas) => {
  expect(parseOmegas("--omega", text)).toEqual(omegas);
});

test.each(["0.3;;0.6", "0.3,linear:0"])("the list %s is refused", (text) => {
  expect(() => parseOmegas("--omega", text)).toThrow(refusal("option-invalid", "--omega"));
});

describe("on the command line", () => {
  let out: string;
  beforeEach(async () => {
    out = await mkdtemp(join(tmpdir(), "tiller-omega-"));
  });
  afterEach(() => rm(out, { recursive: true }));
  const cat = ["--model", "owner/sd", "--prompt", "a red cat", "--steps", "2", "--guidance", "pg"];

  test("generate hands it on, names the file by it without colons, and repeats it from the picture", async () => {
    const omega = "0.5,up=linear:0..1";
    const { requests } = await tiller(["generate", ...cat, "--omega", omega, "--out", out]);
    expect(requests[0]!.omega).toBe(omega);
    const [file] = await readdir(out);
    expect(file).toBe("tiller-0-pg-w0.5,up=linear-0..1.png");
    const again = await tiller(["generate", "--from", join(out, file!), "--out", out]);
    expect(again.requests[0]!.omega).toBe(omega);
  });

  test("sweep draws one picture for each", async () => {
    const { requests } = await tiller(["sweep", ...cat, "--omega", "0.6;step:0..1@0.3;up=0", "--out", out]);
    expect(requests.map((request) => request.omega)).toEqual([0.6, "step:0..1@0.3", "up=0"]);
  });
});
