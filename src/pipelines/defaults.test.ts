import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { madeBy, writeEmbeddings } from "../adapters/index.ts";
import { openModel } from "../families/open-model.ts";
import { publishedOmegas, usualDefaults } from "../families/stable-diffusion/defaults.ts";
import type { UNetConfig } from "../models/unet.ts";
import { defaultsOf, defaultsWith } from "./defaults.ts";

const sd = (width: number) => ({
  ...usualDefaults,
  omegas: publishedOmegas({ cross_attention_dim: width } as UNetConfig),
  width: 512,
  height: 512,
  sideMultiple: 8,
});
const [sd15, sd21] = [sd(768), sd(1024)];

describe("the defaults of a request", () => {
  test("guide by cfg, and by pg with an adapter or a base", () => {
    expect(defaultsWith(sd15, []).guidance).toBe("cfg");
    expect(defaultsWith(sd15, [undefined]).guidance).toBe("pg");
    expect(defaultsWith(sd15, [], true).guidance).toBe("pg");
  });

  // Steering Guidance, tables 1 and 2: the best omega of each base and method.
  test.each([
    [sd15, "dreambooth", 0.6],
    [sd15, "dreambooth-ti", 0.7],
    [sd15, "textual-inversion", 0.7],
    [sd15, "class-diffusion", 0],
    [sd21, "dreambooth", 0.6],
    [sd21, "dreambooth-ti", 0.6],
    [sd21, "class-diffusion", 0],
    // Another tool's file may name no method, or any.
    [sd15, undefined, 0.6],
    [sd15, "constructor", 0.6],
  ])("take the omega published for the base and the method: %#", (model, method, omega) => {
    expect(defaultsWith(model, [method]).omega).toBe(omega);
  });

  test("take omega from the first adapter that names its method", () => {
    expect(defaultsWith(sd15, [undefined, "dreambooth-ti", "class-diffusion"]).omega).toBe(0.7);
  });
});

describe("a model's defaults, without loading it", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
  });
  afterAll(() => rm(folder, { recursive: true }));

  test("come from its tiller.json, else from its family, and depend on its adapters' methods", async () => {
    const file = join(folder, "cat.safetensors");
    const vectors = new Map([["<cat>", [new Float32Array(4)]]]);
    await writeEmbeddings(file, vectors, madeBy("class-diffusion", {}));
    const own = (await openModel("dinghy")).defaults;
    const { scale, steps } = own;
    expect([own.guidance, own.sampler]).toEqual(["cfg", "ddim"]);
    // dinghy's own: the usual 7.5 is too much for so small a model.
    expect(scale).toBeLessThan(usualDefaults.scale);
    expect(await defaultsOf("dinghy")).toMatchObject({ guidance: "cfg", scale, steps, omega: 0.6, width: 128 });
    expect(await defaultsOf("dinghy", [file])).toMatchObject({ guidance: "pg", scale, steps, omega: 0 });
  });

  test("are unknown for a model that would have to be downloaded", async () => {
    expect(await defaultsOf("nobody/nothing", [], { cacheFolder: folder })).toBeUndefined();
  });
});
