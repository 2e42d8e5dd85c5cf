/** A new guidance method, added as one object and one entry in the list, works everywhere. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { armName, armsOf, parseExperiment } from "../src/experiments/experiment.ts";
import { baselineOf } from "../src/experiments/results.ts";
import { type GuidanceName, guidanceNames, methodOf, settingsOf } from "../src/guidance/index.ts";
import { type GenerateEvent, type PictureRequest, Pipeline, pictureRequestSchema } from "../src/index.ts";
import { parametersText } from "../src/recipe/parameters.ts";
import { type Studio, startStudio } from "../src/server/index.ts";
import { refused, tiller } from "./fake-world.ts";
import { fixture } from "./fixtures.ts";
import { refusal } from "./refusal.ts";

vi.mock("../src/guidance/methods.ts", async (original) => {
  const { methods } = await original<typeof import("../src/guidance/methods.ts")>();
  const { constantMix, strong, weak } = await import("../src/guidance/guidance.ts");
  const { method } = await import("../src/guidance/method.ts");
  const leaning = method({
    name: "leaning",
    label: "leaning guidance",
    help: "a method for this test only",
    settings: [
      {
        kind: "number",
        name: "leanBy",
        label: "Lean",
        help: "how far it leans",
        short: "l",
        told: "in names",
        default: 0.2,
        least: -2,
        most: 2,
        usual: { from: 0, to: 1, is: "the range of leaning" },
      },
      {
        kind: "choice",
        name: "leanTo",
        label: "Leaning to",
        help: "the side",
        short: "to-",
        told: "when changed",
        choices: ["left", "right"],
        default: "left",
      },
    ],
    needs: ["fine-tuning", "ddim"],
    baseline: "cfg",
    guide: ({ leanBy, leanTo }) =>
      constantMix([strong("cond"), weak(leanTo === "left" ? "cond" : "null", 0)], [1 + leanBy, -leanBy]),
  });
  return { methods: [...methods, leaning] };
});

/** Cast, because it is not in the types. */
const name = "leaning" as GuidanceName;
const asked = (more: object) => ({ guidance: name, ...more }) as Partial<PictureRequest>;

let out: string;
beforeAll(async () => {
  out = await mkdtemp(join(tmpdir(), "tiller-test-"));
});
afterAll(() => rm(out, { recursive: true }));

describe("the pipeline", () => {
  let pipeline: Pipeline;
  beforeAll(async () => {
    const adapters = [fixture("adapters/lora-peft.safetensors")];
    pipeline = await Pipeline.load(fixture("pipelines/sd15"), { adapters, device: "cpu" });
  });
  afterAll(() => pipeline.close());
  async function draw(more: object) {
    const events: GenerateEvent[] = [];
    const request = { prompt: "a red cat", steps: 2, seed: 3, ...asked(more) };
    for await (const event of pipeline.generate(request)) events.push(event);
    const picture = events.find((event) => event.type === "picture")!;
    return { picture, warnings: events.flatMap((event) => (event.type === "warning" ? [event.message] : [])) };
  }

  test("draws with it and records its settings and nothing else", async () => {
    const [left, right, plain] = [await draw({}), await draw({ leanTo: "right" }), await draw({ guidance: "none" })];
    expect(left.picture.data).not.toEqual(right.picture.data);
    expect(left.picture.data).not.toEqual(plain.picture.data);
    expect((await draw({ leanBy: 0 })).picture.data).toEqual(plain.picture.data);
    expect(left.picture.recipe.request).toMatchObject({ guidance: "leaning", leanBy: 0.2 });
    expect(left.picture.recipe.request).not.toHaveProperty("leanTo");
    expect(right.picture.recipe.request).toMatchObject({ leanBy: 0.2, leanTo: "right" });
    expect(plain.picture.recipe.request).not.toHaveProperty("leanBy");
    // The recipe reproduces the picture.
    expect((await draw(pictureRequestSchema.parse(right.picture.recipe.request))).picture.data).toEqual(
      right.picture.data,
    );
    expect(parametersText(right.picture.recipe, 64, 64)).toContain("Guidance: leaning, Lean: 0.2, Leaning to: right");
  });

  test("applies its own checks and warnings", async () => {
    await expect(draw({ leanBy: 3 })).rejects.toThrow(refusal("setting-invalid", "leanBy"));
    await expect(draw({ leanTo: "top" })).rejects.toThrow(refusal("setting-invalid", "leanTo"));
    const { warnings } = await draw({ leanBy: 1.5, sampler: "euler" });
    expect(warnings).toEqual([
      "leanBy 1.5 is outside 0 to 1, the range of leaning",
      "leaning is made for the sampler ddim",
    ]);
  });
});

describe("the command line", () => {
  const generate = ["generate", "--model", "owner/sd", "--prompt", "a red cat", "--steps", "1"];

  test("has its options, uses it in file names and repeats it from a picture", async () => {
    const { code, requests } = await tiller([
      ...generate,
      ..."--guidance leaning --lean-to right --out".split(" "),
      out,
    ]);
    expect([code, requests[0]]).toMatchObject([0, { guidance: "leaning", leanBy: 0.2, leanTo: "right" }]);
    const file = "tiller-0-leaning-l0.2-to-right.png";
    expect(await readdir(out)).toContain(file);
    const again = await tiller(["generate", "--from", join(out, file), "--lean-by", "0.7", "--out", out]);
    expect(again.requests[0]).toMatchObject({ guidance: "leaning", leanBy: 0.7, leanTo: "right" });
    const other = await tiller([...generate, "--guidance", "cfg", "--lean-by", "1", "--out", out]);
    expect(other.stderr).toContain("--lean-by has no effect with --guidance cfg; it works with leaning");
    const wrong = await refused([...generate, "--guidance", "leaning", "--lean-by", "x", "--out", out]);
    expect([wrong.code, wrong.error]).toEqual([2, refusal("option-invalid", "--lean-by x", "--lean-by 0.2")]);
  });

  test("sweeps its settings", async () => {
    const folder = join(out, "sweep");
    const axes = "--guidance none,leaning --lean-by 0:1:0.5 --lean-to left,right --out".split(" ");
    const { code, requests } = await tiller(["sweep", ...generate.slice(1), ...axes, folder]);
    expect([code, requests.length]).toEqual([0, 7]);
    expect(await readdir(folder)).toContain("tiller-0-leaning-l0.5-to-right.png");
    const { axes: varied } = JSON.parse(await readFile(join(folder, "sweep.json"), "utf8"));
    expect(varied).toEqual({ guidance: ["none", "leaning"], leanBy: [0, 0.5, 1], leanTo: ["left", "right"] });
  });
});

describe("an experiment", () => {
  const with_ = (more: object, sampler = "ddim") =>
    parseExperiment({
      name: "x",
      personalisation: [{ recipe: "dreambooth" }],
      guidance: [{ method: "cfg" }, { method: "leaning", ...more }],
      sampler,
    });

  test("accept it, name its rows and compare it with its baseline", () => {
    const arms = armsOf(with_({ leanBy: [0, 1], leanTo: "right" }));
    expect(arms.map((arm) => armName(arm, arms))).toEqual(["cfg", "leaning 0 right", "leaning 1 right"]);
    expect(baselineOf(arms[1]!, arms)).toEqual(arms[0]);
  });

  test("refuse unsupported samplers", () => {
    expect(() => with_({ leanBy: 1.5 })).toThrow(refusal("experiment-invalid", "guidance.1.leanBy", "1.5", "0 to 1"));
    expect(() => with_({}, "dpm++")).toThrow(refusal("experiment-invalid", "leaning", "ddim", "dpm++"));
  });
});

describe("every method", () => {
  let studio: Studio;
  // biome-ignore lint/suspicious/noExplicitAny: what comes over the wire.
  let told: any[];
  // biome-ignore lint/suspicious/noExplicitAny: likewise.
  let described: any;
  let help: string[];
  beforeAll(async () => {
    studio = await startStudio({
      data: join(out, "data"),
      models: [fixture("pipelines/sd15")],
      port: 0,
      device: "cpu",
    });
    // biome-ignore lint/suspicious/noExplicitAny: likewise.
    const get = async (path: string): Promise<any> => (await fetch(new URL(path, studio.url))).json();
    told = await get("/api/methods");
    described = await get("/api/openapi.json");
    help = [];
    for (const command of ["generate", "sweep"]) help.push((await tiller([command, "--help"])).stdout);
  });
  afterAll(() => studio.close());

  test.each(["leaning", ...guidanceNames])("%s is in help, schemas and the server's answer", (one) => {
    const { settings, help: line, guide: _, ...rest } = methodOf(one as GuidanceName);
    expect(told.find((other) => other.name === one)).toEqual(
      JSON.parse(JSON.stringify({ ...rest, settings, help: line })),
    );
    const bodies = ["/api/jobs", "/v1/images/generations", "/sdapi/v1/txt2img"].map((path) =>
      JSON.stringify(described.paths[path].post.requestBody),
    );
    expect(Object.keys(described.paths)).toContain("/api/methods");
    for (const text of [...help, ...bodies]) expect(text).toContain(one);
    for (const { name: setting } of settingsOf(one as GuidanceName)) {
      const option = `--${setting.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} <`;
      for (const text of help) expect(text).toContain(option);
      for (const body of bodies) expect(body).toContain(`"${setting}":`);
    }
    expect(pictureRequestSchema.parse({ prompt: "a cat", guidance: one }).guidance).toBe(one);
  });
});
