import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { refusal } from "../../test/refusal.ts";
import { defaultInstruction } from "../families/sana/instruction.ts";
import {
  armName,
  armsOf,
  completedExperiment,
  parseExperiment,
  personalisationName,
  readExperiment,
} from "./experiment.ts";
import { published } from "./published.ts";
import { baselineOf } from "./results.ts";
import { wholeExperiment } from "./whole.ts";

const least = { name: "x", personalisation: [{ recipe: "dreambooth" }], guidance: [{ method: "cfg" }] };

test("what is not said is the published protocol: all concepts and prompts, eight pictures", () => {
  expect(parseExperiment(least)).toMatchObject({ model: "dinghy", concepts: "all", prompts: "all", pictures: 8 });
});

describe("steps, sampler, scales and omegas that are left out", () => {
  const usual = { sampler: "euler", steps: 30, scale: 4, omegas: [0.7] } as const;
  const filled = (more: object, own: Partial<Parameters<typeof completedExperiment>[1]> = {}) =>
    completedExperiment(parseExperiment({ ...least, ...more }), { ...usual, ...own });

  test("are the model's, and what is given stays", () => {
    const guidance = [{ method: "none" }, { method: "cfg", scale: [2, 3] }, { method: "pg" }];
    const experiment = filled({ guidance, steps: 5 });
    expect(experiment).toMatchObject({ steps: 5, sampler: "euler" });
    expect(armsOf(experiment)).toEqual([
      { guidance: "none" },
      { guidance: "cfg", scale: 2 },
      { guidance: "cfg", scale: 3 },
      { guidance: "pg", scale: 4, omega: 0.7 },
    ]);
  });

  test("never are the model's where the method means something else by them", () => {
    const guidance = [{ method: "pg++", omega: 0 }];
    expect(armsOf(filled({ guidance }, { sampler: "ddim" }))).toEqual([{ guidance: "pg++", scale: 0.4, omega: 0 }]);
  });

  test("an omega cannot be left out where the ways of fine-tuning have different ones", () => {
    const omegas = [0.6, 0];
    const pg = (omega: object) => () => filled({ guidance: [{ method: "pg", ...omega }] }, { omegas });
    expect(pg({})).toThrow(refusal("experiment-invalid"));
    expect(pg({ omega: 0.5 })).not.toThrow();
  });

  test("name the rows that can be compared", () => {
    const guidance = [{ method: "cfg" }, { method: "pg" }];
    const compared = (name: string) => () => filled({ guidance, compare: [[name, "cfg"]] });
    expect(compared("pg 0.7")).not.toThrow();
    expect(compared("pg 0.6")).toThrow(refusal("experiment-invalid"));
  });
});

const shipped = fileURLToPath(new URL("../../experiments/", import.meta.url));

test.each(readdirSync(shipped))("%s is an experiment of that name", async (file) => {
  expect(`${(await readExperiment(`${shipped}${file}`)).name}.json`).toBe(file);
});

test.each([
  [{ ...least, guidance: [{ method: "pag" }] }, "guidance.0.method"],
  [{ ...least, personalisation: [] }, "personalisation"],
  [{ ...least, name: "../x" }, "name"],
  [{ ...least, omegas: [1] }, "omegas"],
])("a wrong setting is named: %#", (value, where) => {
  expect(() => parseExperiment(value, "file.json")).toThrow(refusal("experiment-invalid", "file.json", where));
});

describe("arms", () => {
  const armsFor = (guidance: unknown[]) => armsOf(parseExperiment({ ...least, guidance }));

  test("combine the values a method takes notice of, and no others", () => {
    expect(
      armsFor([
        { method: "none", omega: [0, 1] },
        { method: "pg", omega: [0, 0.6], scale: [5, 7.5] },
      ]),
    ).toEqual([
      { guidance: "none" },
      { guidance: "pg", scale: 5, omega: 0 },
      { guidance: "pg", scale: 5, omega: 0.6 },
      { guidance: "pg", scale: 7.5, omega: 0 },
      { guidance: "pg", scale: 7.5, omega: 0.6 },
    ]);
  });

  test("are named by what tells them apart", () => {
    const arms = armsFor([{ method: "cfg" }, { method: "pg", omega: [0, 0.6], scale: [5, 7.5] }]);
    expect(arms.map((arm) => armName(arm, arms))).toEqual([
      "cfg",
      "pg 0 s=5",
      "pg 0.6 s=5",
      "pg 0 s=7.5",
      "pg 0.6 s=7.5",
    ]);
  });
});

describe("what came to a method later", () => {
  const armsFor = (...guidance: unknown[]) => armsOf(parseExperiment({ ...least, guidance }));

  test("is in its arm, and in its name, where it is not the default: units of before keep their keys", () => {
    const arms = armsFor({ method: "cfg+ag", mix: ["sum", "outer"] });
    expect(JSON.stringify(arms)).toBe(
      '[{"guidance":"cfg+ag","scale":7.5,"agScale":2},{"guidance":"cfg+ag","scale":7.5,"agScale":2,"mix":"outer"}]',
    );
    expect(arms.map((arm) => armName(arm, arms))).toEqual(["cfg+ag", "cfg+ag outer"]);
  });

  test("tells fewer evaluations where they are changed: the full method keeps its key and its name", () => {
    const arms = armsFor(
      { method: "pg", guidanceEvery: [1, 3], guidanceBetween: ["difference", "extrapolated"] },
      { method: "pg", guidanceTo: 0.4 },
    );
    expect(JSON.stringify(arms[0])).toBe('{"guidance":"pg","scale":7.5,"omega":0.6}');
    expect(arms.map((arm) => armName(arm, arms))).toEqual([
      "pg 0.6",
      "pg 0.6 extrapolated",
      "pg 0.6 every=3",
      "pg 0.6 every=3 extrapolated",
      "pg 0.6 to=0.4",
    ]);
  });

  test("is compared with the same baseline, at the arm's own scale or the only one", () => {
    const all = armsFor(
      { method: "cfg" },
      { method: "cfg+ag", scale: 5, mix: "outer" },
      { method: "cfg++", scale: [0.2, 0.4] },
      { method: "pg++", scale: [0.3, 0.4], omega: 0 },
    );
    expect(baselineOf(all[0]!, all)).toBeUndefined();
    expect(baselineOf(all[1]!, all)).toEqual({ guidance: "cfg", scale: 7.5 });
    expect(all.slice(4).map((arm) => baselineOf(arm, all))).toEqual([undefined, { guidance: "cfg++", scale: 0.4 }]);
  });
});

test("ways of fine-tuning are named by what varies", () => {
  const { personalisation } = parseExperiment({
    ...least,
    personalisation: [
      { recipe: "dreambooth", rank: 4, steps: 100 },
      { recipe: "dreambooth", rank: 8, steps: 100 },
    ],
  });
  expect(personalisation.map((one) => personalisationName(one, personalisation))).toEqual([
    "dreambooth, rank 4",
    "dreambooth, rank 8",
  ]);
});

test("the way of fine-tuning is its method, which files of before call its recipe", () => {
  const asked = (one: object) => parseExperiment({ ...least, personalisation: [one] });
  const settings = { steps: 100, rank: 8 };
  expect(asked({ method: "dreambooth", ...settings })).toEqual(asked({ recipe: "dreambooth", ...settings }));
});

const with_ = (more: object) =>
  parseExperiment({ name: "x", personalisation: [{ recipe: "dreambooth" }], guidance: [{ method: "cfg" }], ...more });

describe("what is wrong is named where it is", () => {
  test.each<[string, object, ...string[]]>([
    ["a recipe that is none", { personalisation: [{ recipe: "dreamboot" }] }, "personalisation.0.recipe"],
    ["a method that is none", { personalisation: [{ method: "dreamboot" }] }, "personalisation.0.method"],
    ["no method", { personalisation: [{ rank: 4 }] }, "personalisation.0.method"],
    [
      "a method and a recipe",
      { personalisation: [{ method: "dreambooth", recipe: "dreambooth" }] },
      "personalisation.0",
      '"recipe"',
    ],
    ["a concept without all of its own", { concepts: [{ name: "c", images: "x", class: "cat" }] }, "concepts.0.live"],
    ["a concept that is there twice", { concepts: ["black_cat", "black_cat"] }, "black_cat"],
    ["an omega that is none", { guidance: [{ method: "pg", omega: [60] }] }, "guidance.0.omega"],
    ["a lambda that is none", { guidance: [{ method: "pg++", scale: 7.5 }] }, "guidance.0.scale", "7.5", "0 to 1"],
    ["a name that climbs out of its folder", { name: ".." }, "name"],
    ["a mix that is none", { guidance: [{ method: "cfg+ag", mix: "product" }] }, "guidance.0.mix"],
    [
      "a pair of which one is none",
      { guidance: [{ method: "cfg", scale: 5 }], compare: [["cfg", "pg 0.6"]] },
      "compare",
      "pg 0.6",
      "cfg",
    ],
    [
      "fewer evaluations of sag",
      { personalisation: [{ recipe: "dreambooth-ti" }], guidance: [{ method: "sag", guidanceEvery: [1, 2] }] },
      "guidanceEvery",
      "sag",
    ],
    ["guidance at no step", { guidance: [{ method: "pg", guidanceFrom: [0, 0.5], guidanceTo: 0.5 }] }, "guidanceFrom"],
    ["sag without a learned token", { guidance: [{ method: "sag" }] }, "sag"],
  ])("%s", (_, more, ...facts) => {
    expect(() => with_(more)).toThrow(refusal("experiment-invalid", ...facts));
  });
});

test("the paper's numbers stand beside the same method's row, whatever our scale, rank and steps", () => {
  const lora = { recipe: "dreambooth", rank: 16, steps: 400 } as const;
  const one = with_({ personalisation: [lora], guidance: [{ method: "cfg" }, { method: "pg", omega: [0.3] }] });
  expect(published(lora, { guidance: "cfg", scale: 4 }, one)?.dino).toBe(0.4701);
  expect(published(lora, { guidance: "pg", scale: 4, omega: 0.3 }, one)?.dino).toBe(0.5);
  expect(published(lora, { guidance: "pg", scale: 4, omega: 1 }, one)?.dino).toBe(0.4701);
  expect(published(lora, { guidance: "pg", scale: 4, omega: 0.35 }, one)).toBeUndefined();
  expect(published(lora, { guidance: "cfg+ag", scale: 4, agScale: 2 }, one)?.dino).toBe(0.4831);
  expect(published(lora, { guidance: "cfg+ag", scale: 4, agScale: 2, mix: "outer" }, one)).toBeUndefined();
  expect(published({ adapters: ["cat.safetensors"] }, { guidance: "cfg", scale: 4 }, one)).toBeUndefined();
});

test("where an experiment varies scale, rank or steps, the paper's numbers stand beside its own setting alone", () => {
  const lora = { recipe: "dreambooth" } as const;
  const scales = with_({ guidance: [{ method: "cfg", scale: [5, 7.5] }] });
  expect(published(lora, { guidance: "cfg", scale: 7.5 }, scales)?.dino).toBe(0.4701);
  expect(published(lora, { guidance: "cfg", scale: 5 }, scales)).toBeUndefined();
  const ranks = with_({ personalisation: [lora, { ...lora, rank: 32 }] });
  expect(published({ ...lora, rank: 32 }, { guidance: "cfg", scale: 4 }, ranks)?.dino).toBe(0.5468);
  expect(published({ ...lora, rank: 32 }, { guidance: "pg", scale: 4, omega: 0 }, ranks)).toBeUndefined();
  const steps = with_({ personalisation: [lora, { ...lora, steps: 100 }] });
  expect(published(lora, { guidance: "cfg", scale: 4 }, steps)?.dino).toBe(0.4701);
  expect(published({ ...lora, steps: 100 }, { guidance: "cfg", scale: 4 }, steps)).toBeUndefined();
});

test("experiments/sana.json says SANA's instruction, and leaves the rest to SANA", async () => {
  const file = new URL("../../experiments/sana.json", import.meta.url);
  const given = await readExperiment(fileURLToPath(file));
  expect(given.instruction).toBe(defaultInstruction);
  const model = fileURLToPath(new URL("../../parity/fixtures/sana-pipeline/model", import.meta.url));
  const whole = await wholeExperiment({ ...given, model });
  expect(whole).toMatchObject({ sampler: "dpm++", steps: 20 });
  expect(armsOf(whole)).toContainEqual({ guidance: "cfg", scale: 4.5 });
});
