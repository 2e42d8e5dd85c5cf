/** The paper's number beside ours: only where base model, fine-tuning, guidance and their settings are the same. */
import { basename } from "node:path";
import { methodOf, settingsOf } from "../guidance/index.ts";
import { trainingMethods } from "../training/methods/index.ts";
import type { Arm, Personalisation } from "./experiment.ts";
import {
  type PaperBase,
  type PaperRow,
  type PublishedScores,
  paperPreference,
  paperRows,
  paperStudy,
  paperStyle,
} from "./paper-tables.ts";

/** Names of the paper's base models, as folders, files and repositories have them. The paper does not name its files. */
const names: readonly (readonly [RegExp, PaperBase])[] = [
  [/^(stable-diffusion-v1-5|v1-5-pruned.*|sd-?1\.?5)$/i, "SD 1.5"],
  [/^(stable-diffusion-2-1(-base)?|v2-1_(512|768).*|sd-?2\.?1(-base)?)$/i, "SD 2.1"],
  [/^Sana_1600M_1024px(_BF16)?(_diffusers)?$/i, "SANA"],
];

/** The paper's base model that a model's name stands for: a folder, a single file or a repository. */
export function paperBaseOf(model: string): PaperBase | undefined {
  const name = basename(model.replace(/[\\/]+$/, "")).replace(/@[^@]*$|\.(safetensors|ckpt)$/g, "");
  return names.find(([pattern]) => pattern.test(name))?.[1];
}

/** Rank is a method's default too. */
const paperTraining = { steps: 500, rank: 4 } as const;

/**
 * The rows of the paper with the model, the fine-tuning and the guidance of a row of ours. More than one table may have it, and
 * table 7's rows of PG, whose omega is not printed, stand beside none.
 */
export function paperRowsOf(model: string, one: Personalisation, arm: Arm): readonly PaperRow[] {
  const base = paperBaseOf(model);
  if (!base || !("recipe" in one)) return [];
  const { recipe, steps = trainingMethods[recipe].steps, rank = paperTraining.rank } = one;
  if (steps !== paperTraining.steps) return [];
  const { guidance, omega, scale, agScale } = arm;
  // The paper has no settings that recipes record only when changed.
  if (settingsOf(guidance).some(({ name, told }) => told === "when changed" && arm[name] !== undefined)) return [];
  // At omega 1 pg is cfg, and the tables of omega have that row.
  const { baseline, isBaselineAt } = methodOf(guidance);
  const asBaseline = omega !== undefined && isBaselineAt?.omega === omega ? baseline : undefined;
  return paperRows.filter(
    (row) =>
      row.base === base &&
      row.finetuning === recipe &&
      (row.rank === undefined || row.rank === rank) &&
      row.scale === scale &&
      (row.agScale === undefined || row.agScale === agScale) &&
      ((row.guidance === guidance && row.omega === omega) ||
        (row.guidance === asBaseline && row.omega === undefined) ||
        (row.omega === 1 && row.guidance === "pg" && guidance === "cfg")),
  );
}

/** An experiment's model and what belongs to it, and a row's guidance. */
interface Application {
  readonly model: string;
  readonly base?: string | undefined;
  readonly concepts: unknown;
}

/**
 * Tables 4 and 5: PickScore of Diffusion-DPO's U-Net over SD 1.5, and DreamSim of PairCustomization's styles on SDXL. The paper prints
 * neither's scale; with DPO it is taken to be 7.5, as elsewhere on SD 1.5.
 */
export function publishedApplication({ model, base, concepts }: Application, arm: Arm): string | undefined {
  const same = (row: { readonly guidance: string; readonly omega?: number }) =>
    row.guidance === arm.guidance && row.omega === arm.omega;
  if (/(^|[\\/])dpo-sd1\.5-text2image-v1$/.test(model) && base !== undefined && paperBaseOf(base) === "SD 1.5") {
    const row = arm.scale === 7.5 ? paperPreference.find(same) : undefined;
    return row && `PickScore ${row.pickscore}`;
  }
  const pairs = /lora-(dog-digital-art|man-painting)-style\.safetensors/;
  const row = pairs.test(JSON.stringify(concepts)) ? paperStyle.find(same) : undefined;
  return row && `DreamSim ${row.dreamsim}`;
}

/**
 * The setting of the paper's user study (table 3) that a study repeats, and what the paper calls each of its methods: only if model,
 * fine-tuning and methods are all the paper's, because shares depend on what else could be chosen. Table 3 does not print scales and
 * omegas; they are taken to be those of the main tables.
 */
export function paperStudyOf(
  model: string,
  one: Personalisation,
  arms: readonly Arm[],
): { readonly setting: string; readonly choices: string[] } | undefined {
  const found = arms.map((arm) => {
    const main = paperRowsOf(model, one, arm).find(({ table }) => table <= 2);
    return (
      main &&
      paperStudy.find(
        (row) => row.base === main.base && row.finetuning === main.finetuning && row.guidance === main.guidance,
      )
    );
  });
  const choices = found.flatMap((row) => (row ? [row.choice] : []));
  const setting = found[0]?.setting;
  const theirs = paperStudy.filter((row) => row.setting === setting && row.guidance !== undefined);
  const whole = theirs.length === arms.length && theirs.every(({ choice }) => choices.includes(choice));
  return setting !== undefined && whole ? { setting, choices } : undefined;
}

/** The paper's scores for a row of ours; undefined where it has none. Where two tables differ in rounding, the first counts. */
export const published = (model: string, one: Personalisation, arm: Arm): PublishedScores | undefined =>
  paperRowsOf(model, one, arm)[0]?.scores;
