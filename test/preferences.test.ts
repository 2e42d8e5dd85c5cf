/** PickScore and DreamSim of picture files against their definitions in PyTorch: fixtures of parity/preferences.py. */
import { copyFile, cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { evaluate, type MetricName } from "../src/index.ts";
import { tiller } from "./fake-world.ts";
import { fixture } from "./fixtures.ts";
import { refusal } from "./refusal.ts";

const own = (path: string) => fixture(`preferences/${path}`);
let folder: string;
let images: string;
let references: string;
let expected: {
  readonly texts: readonly string[];
  readonly pickscore: readonly number[];
  readonly dreamsim: { readonly ensemble: readonly number[]; readonly clip_vitb32: readonly number[] };
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
  [images, references] = [join(folder, "images"), join(folder, "references")];
  expected = JSON.parse(await readFile(own("scores.json"), "utf8"));
  await mkdir(images);
  await mkdir(references);
  for (const [i, name] of (await readdir(fixture("encoders/pictures"))).sort().entries()) {
    await copyFile(fixture(`encoders/pictures/${name}`), join(i < 2 ? references : images, name));
    if (i >= 2) await writeFile(join(images, name.replace(".png", ".txt")), expected.texts[i - 2]!);
  }
});
afterAll(() => rm(folder, { recursive: true }));

/**
 * The same arithmetic in float32 differs by less than 1e-6; a pixel that our resizing rounds otherwise than PIL changes these
 * random networks' scores by up to 1e-5. PickScore's are a hundred times as large as a cosine.
 */
function expectNear(found: readonly number[], values: readonly number[], scale = 1): void {
  expect(found).toHaveLength(values.length);
  for (const [i, value] of values.entries()) expect(Math.abs(found[i]! - value) / scale).toBeLessThan(1e-4);
}

const scoresOf = async (metric: MetricName, request: object) =>
  (await evaluate({ images, metrics: [metric], device: "cpu", ...request })).pictures.map(
    ({ scores }) => scores[metric]!,
  );

test("PickScore is that of its processor and model, without reference pictures", async () => {
  expectNear(await scoresOf("pickscore", { pickscore: own("pickscore") }), expected.pickscore, 100);
});

test("DreamSim's ensemble is read from its released files, PEFT's factors applied", async () => {
  const found = await scoresOf("dreamsim", { references, dreamsim: own("dreamsim") });
  expectNear(found, expected.dreamsim.ensemble);
});

test("a single branch of DreamSim is named by its LoRA's folder", async () => {
  const dreamsim = own("dreamsim/clip_vitb32_single_lora");
  expectNear(await scoresOf("dreamsim", { references, dreamsim }), expected.dreamsim.clip_vitb32);
});

test("the command line measures what is named, each with its own network", async () => {
  const asked = ["--images", images, "--references", references, "--json", "--device", "cpu"];
  const models = ["--pickscore", own("pickscore"), "--dreamsim", own("dreamsim")];
  const { json } = await tiller(["eval", ...asked, ...models, "--metrics", "clip-i,pickscore,dreamsim"]);
  const { scores, encoders } = json();
  expect(Object.keys(scores)).toEqual(["clipI", "pickscore", "dreamsim"]);
  expect(encoders).toEqual({ clip: "dinghy", dreamsim: own("dreamsim"), pickscore: own("pickscore") });
  const { stdout } = await tiller(["eval", "--images", images, ...models, "--metrics", "pickscore"]);
  expect(stdout).toMatch(/^prompt +pictures +PickScore$/m);
});

test("dinghy's own encoders measure in both forms, under other names", async () => {
  const { scores } = await evaluate({
    images: references,
    references,
    metrics: ["worldScore", "worldDistance"],
    prompt: "a dog",
  });
  expect(Object.keys(scores)).toEqual(["worldScore", "worldDistance"]);
  // Each of the two references has distance 0 from itself, so the mean is half of their distance from each other.
  expect(scores.worldDistance).toBeGreaterThan(0);
  expect(scores.worldDistance).toBeLessThan(1);
});

test("pictures need no texts if nothing compares with them", async () => {
  const asked = ["eval", "--images", references, "--references", references, "--device", "cpu"];
  const { stdout } = await tiller([...asked, "--metrics", "dino"]);
  expect(stdout).toMatch(/^\(no text\) +2 /m);
  const { scores } = await evaluate({ images: references, references, metrics: ["clipI"], device: "cpu" });
  expect(Object.keys(scores)).toEqual(["clipI"]);
  await expect(evaluate({ images: references, metrics: ["clipT"], device: "cpu" })).rejects.toThrow(
    refusal("text-missing", "0-reference.png"),
  );
});

test("a metric without its files is refused in one sentence, which says what to name", async () => {
  const refused = async (request: object, code: Parameters<typeof refusal>[0], ...facts: string[]) =>
    expect(evaluate({ images, references, device: "cpu", ...request })).rejects.toThrow(refusal(code, ...facts));
  const missing = join(folder, "none");
  await refused({ metrics: ["pickscore"] }, "metric-files-missing", "--pickscore", "yuvalkirstain/PickScore_v1");
  await refused({ metrics: ["dreamsim"] }, "metric-files-missing", "--dreamsim");
  await refused({ metrics: ["pickscore"], pickscore: missing }, "metric-files-missing", missing);
  await refused({ metrics: ["dreamsim"], dreamsim: missing }, "metric-files-missing", missing);
  await refused({ metrics: ["dreamsim"], dreamsim: images }, "metric-files-missing", "ensemble_lora");
  await refused({ metrics: ["dreamsim"], references: undefined }, "option-missing", "--references", "DreamSim");

  const partial = join(folder, "partial");
  await cp(own("dreamsim"), partial, { recursive: true });
  await rm(join(partial, "checkpoints"), { recursive: true });
  await refused({ metrics: ["dreamsim"], dreamsim: partial }, "metric-files-missing", "dino_vitbase16_pretrain.pth");
});

test("LoRAs of other versions of DreamSim are refused", async () => {
  const other = join(folder, "other");
  await cp(own("dreamsim"), other, { recursive: true });
  const config = join(other, "ensemble_lora", "adapter_config.json");
  const refused = (facts: string, dreamsim = other) =>
    expect(evaluate({ images, references, device: "cpu", metrics: ["dreamsim"], dreamsim })).rejects.toThrow(
      refusal("metric-files-unsupported", facts),
    );
  const whole = JSON.parse(await readFile(config, "utf8"));
  await writeFile(config, JSON.stringify({ ...whole, r: 16 }));
  await refused(config);
  await writeFile(config, JSON.stringify(whole));
  await copyFile(
    own("dreamsim/clip_vitb32_single_lora/adapter_model.safetensors"),
    join(other, "ensemble_lora", "adapter_model.safetensors"),
  );
  await refused(config);
  await cp(join(other, "ensemble_lora"), join(other, "dinov2_vitb14_single_lora"), { recursive: true });
  await refused("dinov2_vitb14_single_lora", join(other, "dinov2_vitb14_single_lora"));
});
