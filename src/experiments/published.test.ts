import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { armName, armsOf, completedExperiment, personalisationName, readExperiment } from "./experiment.ts";
import {
  type PaperBase,
  type PaperRow,
  paperCost,
  paperPreference,
  paperRows,
  paperStudy,
  paperStyle,
} from "./paper-tables.ts";
import { paperBaseOf, paperRowsOf, paperStudyOf, published, publishedApplication } from "./published.ts";

const sd15 = "stable-diffusion-v1-5/stable-diffusion-v1-5";
const lora = { recipe: "dreambooth" } as const;
const cfg = { guidance: "cfg", scale: 7.5 } as const;

describe("the paper's number", () => {
  test.each([
    [sd15, 0.4701],
    ["stabilityai/stable-diffusion-2-1-base", 0.4976],
    ["/models/stable-diffusion-2-1-base/", 0.4976],
    ["v1-5-pruned-emaonly.safetensors", 0.4701],
    ["dinghy", undefined],
    ["someone/other-model", undefined],
    ["Efficient-Large-Model/Sana_600M_1024px_diffusers", undefined],
  ])("of CFG for %s is %s", (model, dino) => {
    expect(published(model, lora, cfg)?.dino).toBe(dino);
  });

  test("of PG at omega 0 for SANA is SANA's, at SANA's scale", () => {
    const sana = "Efficient-Large-Model/Sana_1600M_1024px_BF16_diffusers";
    expect(published(sana, lora, { guidance: "pg", scale: 4.5, omega: 0 })?.dino).toBe(0.5366);
    expect(published(sana, lora, { guidance: "pg", scale: 7.5, omega: 0 })).toBeUndefined();
  });

  test.each([
    ["another scale", lora, { ...cfg, scale: 5 }],
    ["another number of steps", { ...lora, steps: 600 }, cfg],
    ["a rank it does not have", { ...lora, rank: 64 }, cfg],
    ["another omega", lora, { guidance: "pg", scale: 7.5, omega: 0.35 }],
    ["another scale of autoguidance", lora, { guidance: "cfg+ag", scale: 7.5, agScale: 3 }],
    ["another mix", lora, { guidance: "cfg+ag", scale: 7.5, agScale: 2, mix: "outer" }],
    ["given adapters", { adapters: ["cat.safetensors"] }, cfg],
    ["PG at rank 8, whose omega it does not print", { ...lora, rank: 8 }, { guidance: "pg", scale: 7.5, omega: 0 }],
  ] as const)("is absent beside %s", (_, one, arm) => {
    const given = "adapters" in one ? { adapters: [...one.adapters] } : one;
    expect(published(sd15, given, arm)).toBeUndefined();
  });

  test("goes with the rank, the fine-tuning method, and at omega 1 with CFG", () => {
    expect(published(sd15, { ...lora, rank: 32 }, cfg)?.dino).toBe(0.5468);
    expect(published(sd15, { recipe: "class-diffusion" }, { guidance: "pg", scale: 7.5, omega: 0 })?.dino).toBe(0.57);
    expect(published(sd15, lora, { guidance: "pg", scale: 7.5, omega: 1 })?.dino).toBe(0.4701);
  });
});

describe("tables 4 and 5", () => {
  const dpo = { model: "mhdang/dpo-sd1.5-text2image-v1", base: sd15, concepts: "none" };
  const pg = (omega: number) => ({ guidance: "pg", scale: 7.5, omega }) as const;

  test("stand beside Diffusion-DPO over SD 1.5, at its scale and omega", () => {
    expect(publishedApplication(dpo, cfg)).toBe("PickScore 21.53");
    expect(publishedApplication(dpo, pg(0.4))).toBe("PickScore 21.58");
    expect(publishedApplication(dpo, pg(0.6))).toBeUndefined();
    expect(publishedApplication(dpo, { ...cfg, scale: 5 })).toBeUndefined();
    expect(publishedApplication({ ...dpo, base: "stabilityai/stable-diffusion-2-1-base" }, cfg)).toBeUndefined();
  });

  test("stand beside PairCustomization's adapters", async () => {
    const { model, concepts } = await readExperiment(`${folder}sdxl-paircustom.json`);
    expect(publishedApplication({ model, concepts }, { guidance: "pg", scale: 5, omega: 0 })).toBe("DreamSim 0.7344");
    expect(publishedApplication({ model, concepts }, { guidance: "style", scale: 5, styleScale: 4 })).toBeUndefined();
    expect(publishedApplication({ model, concepts: "none" }, cfg)).toBeUndefined();
  });
});

describe("table 3", () => {
  const sd21 = "stabilityai/stable-diffusion-2-1-base";
  const classDiffusion = { recipe: "class-diffusion" } as const;
  const ag = { guidance: "cfg+ag", scale: 7.5, agScale: 2 } as const;
  const sag = { guidance: "sag", scale: 7.5 } as const;
  const pg = { guidance: "pg", scale: 7.5, omega: 0 } as const;

  test("stands beside a study of the same model, fine-tuning and methods, in any order", () => {
    expect(paperStudyOf(sd21, classDiffusion, [pg, sag, ag, cfg])).toEqual({
      setting: "SD 2.1, ClassDiffusion",
      choices: ["PG", "CFG+SAG", "CFG+AG", "CFG"],
    });
    const sana = [
      { ...pg, scale: 4.5 },
      { ...ag, scale: 4.5 },
      { ...cfg, scale: 4.5 },
    ];
    const { setting } = paperStudyOf("Efficient-Large-Model/Sana_1600M_1024px_BF16_diffusers", lora, sana)!;
    expect(setting).toBe("SANA, DB-LoRA");
  });

  test.each([
    ["a method less", sd21, classDiffusion, [pg, ag, cfg]],
    ["another omega", sd21, classDiffusion, [{ ...pg, omega: 0.6 }, sag, ag, cfg]],
    ["another fine-tuning", sd21, lora, [pg, ag, cfg]],
    ["another model", sd15, classDiffusion, [pg, sag, ag, cfg]],
    ["a method twice", sd21, classDiffusion, [pg, pg, ag, cfg]],
    ["a method that the paper's study does not have", sd21, classDiffusion, [pg, sag, ag, cfg, { guidance: "none" }]],
  ] as const)("does not stand beside a study with %s", (_, model, one, arms) => {
    expect(paperStudyOf(model, one, arms)).toBeUndefined();
  });
});

const folder = fileURLToPath(new URL("../../experiments/", import.meta.url));

/** The rows of ours that have a row of the paper, by that row: [file, fine-tuning, guidance]. */
async function makers(): Promise<ReadonlyMap<PaperRow, readonly (readonly string[])[]>> {
  const found = new Map<PaperRow, string[][]>();
  for (const file of readdirSync(folder).filter((name) => !/(findings|study)\.json$/.test(name))) {
    const given = await readExperiment(`${folder}${file}`);
    const base = paperBaseOf(given.model);
    if (!base) continue;
    const scale = base === "SANA" ? 4.5 : 7.5;
    const experiment = completedExperiment(given, { sampler: "ddim", steps: 50, scale, omegas: [0] });
    const arms = armsOf(experiment);
    for (const one of experiment.personalisation) {
      for (const arm of arms) {
        for (const row of paperRowsOf(given.model, one, arm)) {
          const made = [file, personalisationName(one, experiment.personalisation), armName(arm, arms)];
          found.set(row, [...(found.get(row) ?? []), made]);
        }
      }
    }
  }
  return found;
}

const named = { dreambooth: "DB-LoRA", "dreambooth-ti": "DB-LoRA + TI", "class-diffusion": "ClassDiffusion" } as Record<
  string,
  string
>;

/** docs/paper-tables.md, made from the tables and the files in experiments/. */
async function page(): Promise<string> {
  const by = await makers();
  const lines = paperRows.map((row) => {
    const { table, base, finetuning, rank, guidance, omega, scores } = row;
    // The base model's own files first; open-questions.json repeats rows of theirs.
    const files = (by.get(row) ?? []).filter(([file]) => file !== "open-questions.json");
    const made = files.find(([file]) => file === `${fileOf(base)}.json`) ?? files[0];
    const method = `${guidance}${omega === undefined ? "" : ` ${omega}`}`;
    const how = made
      ? `\`${made[0]}\`, ${made[1]}, ${made[2]}`
      : `\`${fileOf(base)}-rank.json\` at omega 0 and 0.6: the paper does not print omega, so no row of ours is beside it`;
    const numbers = [scores.dino, scores.clipI, scores.clipT].map((value) => value.toFixed(4)).join(" ");
    return `| ${table} | ${base}, ${named[finetuning]}${rank && rank !== 4 ? `, rank ${rank}` : ""} | ${method} | ${numbers} | ${how} |`;
  });
  const study = paperStudy.map(
    ({ setting, choice, subject, text }) =>
      `| 3 | ${setting} | ${choice} | ${subject} % subject, ${text} % text | \`tiller study make experiments/study.json\`, and [people to answer it](study.md) |`,
  );
  const preference = paperPreference.map(
    (row) =>
      `| 4 | SD 1.5, Diffusion-DPO | ${row.guidance}${"omega" in row ? ` ${row.omega}` : ""} | PickScore ${row.pickscore} | \`sd15-dpo.json\` |`,
  );
  const style = paperStyle.map(
    (row) =>
      `| 5 | PairCustomization | ${row.guidance}${"omega" in row ? ` ${row.omega}` : ""} | DreamSim ${row.dreamsim} | \`sdxl-paircustom.json\` |`,
  );
  const cost = paperCost.map(
    ({ method, megabytes, seconds }) =>
      `| 8 | NVIDIA A5000 | ${method} | ${megabytes} MB, ${seconds} s | \`tiller bench cost\` on your device |`,
  );
  return `# The paper's tables, row by row

    tiller bench run experiments/sd15.json

Each row of the paper, its numbers (DINO, CLIP-I, CLIP-T unless named), and the file in \`experiments/\` with the row that makes it. What
the files need and how long they take: [the paper step by step](paper.md). Table 14 is the prompts, which every file uses.

| table | model | guidance | published | made by |
| ----- | ----- | -------- | --------- | ------- |
${[...lines.filter((line) => /^\| [12] /.test(line)), ...study, ...preference, ...style, ...lines.filter((line) => /^\| [67] /.test(line)), ...cost, ...lines.filter((line) => /^\| (9|1\d) /.test(line))].join("\n")}
`;
}

const fileOf = (base: PaperBase): string => ({ "SD 1.5": "sd15", "SD 2.1": "sd21", SANA: "sana" })[base];

test("every row of scores in the paper has a row in experiments/, but for PG in table 7, whose omega is not printed", async () => {
  const by = await makers();
  const without = paperRows.filter((row) => !by.has(row));
  expect(without.every(({ table, omega }) => table === 7 && omega === "not printed")).toBe(true);
  expect(without).toHaveLength(6);
});

test("docs/paper-tables.md lists every row (vitest -u regenerates it)", async () => {
  await expect(await page()).toMatchFileSnapshot("../../docs/paper-tables.md");
});
