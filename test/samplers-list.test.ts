/** A new sampler, added as one object and one entry in the list, works everywhere. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { parseExperiment } from "../src/experiments/experiment.ts";
import { Pipeline, pictureRequestSchema } from "../src/index.ts";
import { parametersText } from "../src/recipe/parameters.ts";
import { createSampler, parseConfig, type SamplerName } from "../src/samplers/index.ts";
import { type Studio, startStudio } from "../src/server/index.ts";
import { tiller } from "./fake-world.ts";
import { fixture } from "./fixtures.ts";
import { refusal } from "./refusal.ts";

/** Euler without the second half of its steps. */
vi.mock("../src/samplers/samplers.ts", async (original) => {
  const { samplers } = await original<typeof import("../src/samplers/samplers.ts")>();
  const { samplerKind } = await import("../src/samplers/kind.ts");
  const { euler } = await import("../src/samplers/euler.ts");
  const hasty = samplerKind({
    name: "hasty",
    label: "Hasty",
    karrasLabel: "Hasty Karras",
    karras: true,
    forms: ["variance preserving"],
    schema: euler.schema.omit({ interpolation_type: true }),
    create(config, steps, options) {
      const whole = euler.create({ ...config, interpolation_type: "linear" }, steps, options);
      return { ...whole, timesteps: whole.timesteps.slice(0, Math.ceil(steps / 2)) };
    },
  });
  return { samplers: [...samplers, hasty] };
});
/** Cast, because it is not in the types. */
const name = "hasty" as SamplerName;

let out: string;
beforeAll(async () => {
  out = await mkdtemp(join(tmpdir(), "tiller-test-"));
});
afterAll(() => rm(out, { recursive: true }));

test("reads its keys from a scheduler config, and Karras spacing from the config or the request", () => {
  expect(parseConfig(name, { interpolation_type: "cubic" })).not.toHaveProperty("interpolation_type");
  expect(() => parseConfig(name, { final_sigmas_type: "one" })).toThrow(
    refusal("scheduler-unsupported", "final_sigmas_type", "hasty"),
  );
  const [plain, asked, configured] = [
    createSampler(name, {}, 4),
    createSampler(name, {}, 4, { karras: true }),
    createSampler(name, { use_karras_sigmas: true }, 4),
  ].map(({ timesteps }) => timesteps);
  expect(plain).toHaveLength(2);
  expect(asked).not.toEqual(plain);
  expect(configured).toEqual(asked);
  expect(() => createSampler("ddim", {}, 4, { karras: true })).toThrow(
    refusal("karras-unsupported", "dpm++", "euler", "hasty"),
  );
});

test("pictures are drawn with it and record it", async () => {
  const pipeline = await Pipeline.load(fixture("pipelines/sd15"), { device: "cpu" });
  try {
    const steps: number[] = [];
    for await (const event of pipeline.generate({ prompt: "a red cat", sampler: name, karras: true, steps: 4 })) {
      if (event.type === "step") steps.push(event.step);
      if (event.type !== "picture") continue;
      expect(event.recipe.request.sampler).toBe("hasty");
      expect(parametersText(event.recipe, 64, 64)).toContain("Sampler: Hasty Karras,");
    }
    expect(steps).toEqual([1, 2]);
  } finally {
    await pipeline.close();
  }
});

test("the command line accepts it and lists it in help", async () => {
  for (const command of ["generate", "sweep"]) {
    const help = (await tiller([command, "--help"])).stdout.replace(/\s+/g, " ");
    expect(help).toContain("ddim, dpm++, euler, euler-a, flow-euler, hasty");
    expect(help).toContain("(dpm++ and euler and hasty)");
  }
  const { code, requests } = await tiller(
    `generate --model owner/sd --prompt cat --sampler hasty --steps 1 --out ${out}`.split(" "),
  );
  expect([code, requests[0]?.sampler]).toEqual([0, "hasty"]);
});

test("requests and experiments accept it", () => {
  expect(pictureRequestSchema.parse({ prompt: "a cat", sampler: "hasty" }).sampler).toBe("hasty");
  const experiment = { name: "x", personalisation: [{ recipe: "dreambooth" }], guidance: [{ method: "cfg" }] };
  expect(parseExperiment({ ...experiment, sampler: "hasty" }).sampler).toBe("hasty");
});

describe("the server", () => {
  let studio: Studio;
  beforeAll(async () => {
    const models = [fixture("pipelines/sd15")];
    studio = await startStudio({ data: join(out, "data"), models, port: 0, device: "cpu" });
  });
  afterAll(() => studio.close());
  // biome-ignore lint/suspicious/noExplicitAny: what comes over the wire.
  const get = async (path: string): Promise<any> => (await fetch(new URL(path, studio.url))).json();

  test("lists it and describes it", async () => {
    expect(await get("/api/samplers")).toContainEqual({ name: "hasty", label: "Hasty", karras: true });
    const described = await get("/api/openapi.json");
    for (const path of ["/api/jobs", "/v1/images/generations"]) {
      expect(JSON.stringify(described.paths[path].post.requestBody)).toContain('"hasty"');
    }
  });

  test("offers it to web UI clients under its labels", async () => {
    const names = (await get("/sdapi/v1/samplers")).map((one: { name: string }) => one.name);
    expect(names.slice(-3)).toEqual(["Flow Euler", "Hasty", "Hasty Karras"]);
  });
});
