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
import { baselineOf } from "./results.ts";
import { wholeExperiment } from "./whole.ts";

const least = { name: "x", personalisation: [{ recipe: "dreambooth" }], guidance: [{ method: "cfg" }] };

test("defaults are the published protocol: all concepts and prompts, eight pictures", () => {
  expect(parseExperiment(least)).toMatchObject({ model: "dinghy", concepts: "all", prompts: "all", pictures: 8 });
});

describe("omitted steps, sampler, scales and omegas", () => {
  const usual = { sampler: "euler", steps: 30, scale: 4, omegas: [0.7] } as const;
  const filled = (more: object, own: Partial<Parameters<typeof completedExperiment>[1]> = {}) =>
    completedExperiment(parseExperiment({ ...least, ...more }), { ...usual, ...own });

  test("come from the model; given ones stay", () => {
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

  test("do not come from the model if they mean something else to the method", () => {
    const guidance = [{ method: "pg++", omega: 0 }];
    expect(armsOf(filled({ guidance }, { sampler: "ddim" }))).toEqual([{ guidance: "pg++", scale: 0.4, omega: 0 }]);
  });

  test("omega cannot be omitted if the fine-tuning methods have different defaults", () => {
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

/** Without the file of `tiller bench findings`, which is no experiment. */
const files = readdirSync(shipped).filter((file) => !/(findings|study)\.json$/.test(file));

test.each(files)("%s is an experiment of that name", async (file) => {
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

describe("without a subject", () => {
  const listed = { concepts: "none", prompts: { file: "p.txt" }, metrics: ["clipT"], personalisation: undefined };
  const style = { name: "ink", images: "ink", style: "in ink" };
  const parsed = (more: object) => () => parseExperiment({ ...least, ...listed, ...more });

  test("the model itself draws, with adapters and a base if they are named", () => {
    expect(parsed({ base: "b" })()).toMatchObject({ base: "b", personalisation: [{ adapters: [] }] });
    expect(personalisationName({ adapters: [] }, [])).toBe("none");
    expect(parsed({ concepts: [{ ...style, adapters: ["a.safetensors"] }], metrics: undefined })).not.toThrow();
    expect(parsed({ concepts: undefined, prompts: undefined, edits: { images: "photos" } })).not.toThrow();
  });

  test.each<[what: string, object, ...string[]]>([
    ["training", { personalisation: [{ method: "dreambooth" }] }, "personalisation"],
    ["no file of prompts", { prompts: 3 }, "prompts"],
    [
      "metrics that need reference pictures",
      { metrics: ["dino", "pickscore"], encoders: { dino: "d", pickscore: "p" } },
      "metrics",
      "DINO",
    ],
    ["a subject and a file of prompts", { concepts: ["black_cat"] }, "prompts"],
    ["a subject beside a style", { concepts: ["black_cat", style] }, "concepts"],
    ["edits beside concepts", { edits: { images: "photos" } }, "edits"],
    ["edits beside prompts", { edits: { images: "photos" }, concepts: undefined }, "edits"],
    ["a metric without its model", { metrics: ["pickscore"] }, "encoders", "pickscore"],
    [
      "dinghy's encoders beside another",
      { metrics: ["clipT", "pickscore"], encoders: { pickscore: "p" } },
      "encoders",
      "clip",
    ],
  ])("%s is refused", (_, more, ...facts) => {
    expect(parsed(more)).toThrow(refusal("experiment-invalid", ...facts));
  });
});

test("any training setting may be varied, and names the rows", () => {
  const personalisation = [1, 4].map((accumulate) => ({ method: "dreambooth", accumulate, schedule: "linear" }));
  const { personalisation: parsed } = parseExperiment({ ...least, personalisation });
  expect(parsed.map((one) => personalisationName(one, parsed))).toEqual([
    "dreambooth, accumulate 1",
    "dreambooth, accumulate 4",
  ]);
});

describe("arms", () => {
  const armsFor = (guidance: unknown[]) => armsOf(parseExperiment({ ...least, guidance }));

  test("combine only the values a method uses", () => {
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

  test("are named by what differs", () => {
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

describe("an omega over the steps or by part", () => {
  const armsFor = (...guidance: unknown[]) => armsOf(parseExperiment({ ...least, guidance }));

  test("is a row of its own beside numbers, named as it is written, and can be compared", () => {
    const omega = [0.6, "linear:0.2..1", "0.6,up=0"];
    const arms = armsFor({ method: "cfg" }, { method: "pg", omega });
    expect(arms.slice(1).map((arm) => arm.omega)).toEqual(omega);
    const names = ["cfg", "pg 0.6", "pg linear:0.2..1", "pg 0.6,up=0"];
    expect(arms.map((arm) => armName(arm, arms))).toEqual(names);
    const guidance = [{ method: "pg", omega, scale: 2 }];
    expect(() => parseExperiment({ ...least, guidance, compare: [names.slice(1, 3)] })).not.toThrow();
  });

  test.each([
    ["linear:0..1.5", "outside 0 to 1"],
    ["sine:0..1", "linear:0.2..0.8"],
  ])("%s is refused", (omega, fact) => {
    expect(() => armsFor({ method: "pg", omega })).toThrow(refusal("experiment-invalid", "omega", fact));
  });

  test("by part is refused for a method that mixes predictions", () => {
    expect(() => armsFor({ method: "output-interpolation", omega: "up=0" })).toThrow(
      refusal("experiment-invalid", "output-interpolation", "by part"),
    );
  });
});

describe("a setting added to a method later", () => {
  const armsFor = (...guidance: unknown[]) => armsOf(parseExperiment({ ...least, guidance }));

  test("appears in the arm and its name only if not the default, so older units keep their keys", () => {
    const arms = armsFor({ method: "cfg+ag", mix: ["sum", "outer"] });
    expect(JSON.stringify(arms)).toBe(
      '[{"guidance":"cfg+ag","scale":7.5,"agScale":2},{"guidance":"cfg+ag","scale":7.5,"agScale":2,"mix":"outer"}]',
    );
    expect(arms.map((arm) => armName(arm, arms))).toEqual(["cfg+ag", "cfg+ag outer"]);
  });

  test("shows fewer evaluations only if changed: the full method keeps its key and its name", () => {
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

  test("keeps the baseline, at the arm's own scale or the only one", () => {
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

test("fine-tuning methods are named by what varies", () => {
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

test("the fine-tuning method may be called recipe, as in older files", () => {
  const asked = (one: object) => parseExperiment({ ...least, personalisation: [one] });
  const settings = { steps: 100, rank: 8 };
  expect(asked({ method: "dreambooth", ...settings })).toEqual(asked({ recipe: "dreambooth", ...settings }));
});

const with_ = (more: object) =>
  parseExperiment({ name: "x", personalisation: [{ recipe: "dreambooth" }], guidance: [{ method: "cfg" }], ...more });

describe("a mistake is reported with its place", () => {
  test.each<[string, object, ...string[]]>([
    ["an unknown recipe", { personalisation: [{ recipe: "dreamboot" }] }, "personalisation.0.recipe"],
    ["a method that trains a network", { personalisation: [{ method: "full" }] }, "personalisation.0.method"],
    ["an unknown method", { personalisation: [{ method: "dreamboot" }] }, "personalisation.0.method"],
    ["no method", { personalisation: [{ rank: 4 }] }, "personalisation.0.method"],
    [
      "a method and a recipe",
      { personalisation: [{ method: "dreambooth", recipe: "dreambooth" }] },
      "personalisation.0",
      '"recipe"',
    ],
    ["an incomplete concept", { concepts: [{ name: "c", images: "x", class: "cat" }] }, "concepts.0.live"],
    ["a duplicate concept", { concepts: ["black_cat", "black_cat"] }, "black_cat"],
    ["an omega out of range", { guidance: [{ method: "pg", omega: [60] }] }, "guidance.0.omega"],
    ["a lambda out of range", { guidance: [{ method: "pg++", scale: 7.5 }] }, "guidance.0.scale", "7.5", "0 to 1"],
    ["a name that leaves its folder", { name: ".." }, "name"],
    ["an unknown mix", { guidance: [{ method: "cfg+ag", mix: "product" }] }, "guidance.0.mix"],
    [
      "a pair with an unknown row",
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

test("experiments/sana.json states SANA's instruction, and otherwise uses SANA's defaults", async () => {
  const file = new URL("../../experiments/sana.json", import.meta.url);
  const given = await readExperiment(fileURLToPath(file));
  expect(given.instruction).toBe(defaultInstruction);
  const model = fileURLToPath(new URL("../../parity/fixtures/sana-pipeline/model", import.meta.url));
  const whole = await wholeExperiment({ ...given, model });
  expect(whole).toMatchObject({ sampler: "dpm++", steps: 20 });
  expect(armsOf(whole)).toContainEqual({ guidance: "cfg", scale: 4.5 });
});
