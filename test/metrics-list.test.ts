/** A new metric, added as one object and one entry in the list, is shown everywhere. */
import { copyFile, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { resultLines, shortResultLines } from "../src/cli/experiment-output.ts";
import { type Results, writeReport } from "../src/experiments/index.ts";
import { pairsTable, resultsTable } from "../src/experiments/table.ts";
import { meanScores, scoresOf, usualMetrics } from "../src/metrics/fidelity.ts";
import { startStudio } from "../src/server/index.ts";
import { tiller } from "./fake-world.ts";
import { fixture } from "./fixtures.ts";

/** Uses only the nearest reference picture. */
vi.mock("../src/metrics/metrics.ts", async (original) => {
  const { metrics } = await original<typeof import("../src/metrics/metrics.ts")>();
  const { metric } = await import("../src/metrics/metric.ts");
  const { cosine } = await import("../src/metrics/features.ts");
  const { dino } = await import("../src/metrics/dino.ts");
  const nearest = metric({
    name: "nearest",
    label: "NEAREST",
    help: "a metric for this test only",
    of: "subject",
    better: "higher",
    usual: true,
    encoder: dino.encoder,
    score: (picture, references) => Math.max(...references.map((one) => cosine(picture, one))),
  });
  return { metrics: [...metrics, nearest] };
});

let out: string;
beforeAll(async () => {
  out = await mkdtemp(join(tmpdir(), "tiller-test-"));
});
afterAll(() => rm(out, { recursive: true }));

test("scores and means include it", () => {
  const features = (x: number, y: number) => ({ clip: Float32Array.of(x, y), dino: Float32Array.of(x, y) });
  const references = [features(1, 0), features(0, 1)];
  const scores = [features(1, 0), features(-1, 0)].map((one) =>
    scoresOf(usualMetrics, one, references, { clip: Float32Array.of(1, 0) }),
  );
  expect(scores[0]).toEqual({ dino: 0.5, clipI: 0.5, clipT: 1, nearest: 1 });
  expect(meanScores(scores)).toEqual({ dino: 0, clipI: 0, clipT: 0, nearest: 0.5 });
});

test("tiller eval shows it and writes it", async () => {
  const images = join(out, "images");
  await mkdir(images);
  await copyFile(fixture("encoders/pictures/0-reference.png"), join(images, "0.png"));
  const asked = ["eval", "--images", images, "--references", images, "--prompt", "a dog"];
  const { stdout } = await tiller(asked);
  // The picture is its own reference.
  expect(stdout).toMatch(/^prompt +pictures +DINO +CLIP-I +CLIP-T +NEAREST\na dog +1 +1\.0000 .* 1\.0000$/m);
  expect((await tiller([...asked, "--json"])).json().scores.nearest).toBeCloseTo(1, 5);
  const help = (await tiller(["eval", "--help"])).stdout.replace(/\s+/g, " ");
  expect(help).toContain(
    "DINO and CLIP-I and NEAREST against reference pictures of the subject, CLIP-T against the text",
  );
});

const at = (mean: number) => ({ mean, low: mean - 0.1, high: mean + 0.1 });
const of = (nearest: number) => ({ dino: at(0.5), clipI: at(0.6), clipT: at(0.3), nearest: at(nearest) });
const recipe = { recipe: "dreambooth", steps: 500 };
const arm = { guidance: "cfg", scale: 7.5 };
const results = {
  tiller: "1",
  versions: { node: "20", onnxruntime: "1" },
  identities: { model: "dinghy", encoders: ["clip", "vit"] },
  experiment: {
    ...{
      model: "dinghy",
      personalisation: [recipe],
      guidance: [{ method: "cfg" }],
      concepts: [],
      metrics: usualMetrics,
    },
    computed: { engine: "onnxruntime", precision: "float32" },
  },
  units: { done: 1, total: 1 },
  arms: [
    {
      ...{ personalisation: "dreambooth", name: "cfg", arm, scores: of(0.75), overCfg: of(0.125) },
      ...{ rows: 2, secondsPerPicture: 1, memory: 0, prompts: [] },
    },
  ],
  pairs: [{ personalisation: "dreambooth", name: "cfg", over: "none", differences: of(-0.25) }],
} as unknown as Results;

test("an experiment's tables and report have its column", async () => {
  const {
    heads,
    rows: [row],
  } = resultsTable(results);
  const column = heads.indexOf("NEAREST");
  expect(heads.slice(column - 2, column + 3)).toEqual(["CLIP-T", "over cfg", "NEAREST", "over cfg", "rows"]);
  expect(row!.slice(column, column + 2)).toEqual([
    { text: "0.750", interval: "0.650 to 0.850" },
    { text: "+0.125", interval: "+0.025 to +0.225" },
  ]);
  // The paper has no rows for dinghy; where it has one, only its three scores.
  expect(heads.at(-1)).toBe("process MiB");
  const named = {
    ...results,
    experiment: { ...results.experiment, model: "stable-diffusion-v1-5/stable-diffusion-v1-5" },
  };
  const [cfg] = named.arms;
  const beside = resultsTable({ ...named, arms: [{ ...cfg!, arm: { guidance: "cfg", scale: 7.5 } }] });
  expect([beside.heads.at(-1), beside.rows[0]!.at(-1)!.text]).toEqual(["paper, SD 1.5", "0.4701 0.7349 0.3345"]);
  expect(pairsTable(results).rows[0]!.at(-1)!.text).toBe("-0.250");
  expect(resultLines(results)).toContain("NEAREST");
  expect(shortResultLines(results)).toMatch(/CLIP-T +NEAREST +s\/picture\ncfg .* 0\.300 +0\.750 +1\.00/);
  const page = await readFile(await writeReport(results, out, { title: "T", lead: "L", commands: [] }), "utf8");
  expect(page).toContain("<th>NEAREST</th>");
  expect(page).toContain("DINO and CLIP-I and NEAREST with the subject's pictures, CLIP-T with the prompt");
});

test("older results have an empty cell for it", () => {
  const { nearest: _, ...scores } = of(0) as Record<string, unknown>;
  const before = { ...results, arms: results.arms.map((one) => ({ ...one, scores, overCfg: scores })), pairs: [] };
  const { heads, rows } = resultsTable(before as unknown as Results);
  expect(rows[0]![heads.indexOf("NEAREST")]).toEqual({ text: "" });
});

test("the server lists it and includes it in the description of scores", async () => {
  const models = [fixture("pipelines/sd15")];
  const studio = await startStudio({ data: join(out, "data"), models, port: 0, device: "cpu" });
  try {
    // biome-ignore lint/suspicious/noExplicitAny: what comes over the wire.
    const get = async (path: string): Promise<any> => (await fetch(new URL(path, studio.url))).json();
    expect((await get("/api/metrics")).map(({ label }: { label: string }) => label)).toEqual([
      "DINO",
      "CLIP-I",
      "CLIP-T",
      "NEAREST",
    ]);
    const described = await get("/api/openapi.json");
    expect(JSON.stringify(described.paths["/api/jobs/{id}/scores"])).toContain('"nearest"');
  } finally {
    await studio.close();
  }
});
