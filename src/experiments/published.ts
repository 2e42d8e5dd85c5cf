/** The paper's numbers (Steering Guidance for Personalized Text-to-Image Diffusion Models), for comparison. */
import { methodOf, settingsOf } from "../guidance/index.ts";
import type { TrainingMethodName } from "../training/methods/index.ts";
import type { Arm, Experiment, Personalisation } from "./experiment.ts";

/** The paper's metrics. */
export interface PublishedScores {
  readonly dino: number;
  readonly clipI: number;
  readonly clipT: number;
}

type Row = readonly [method: string, omega: number | undefined, dino: number, clipI: number, clipT: number];

/** Tables 1, 2, 6, 9 and 12: Stable Diffusion 1.5 on ViCo, LoRAs of rank 4. */
const sd15: Partial<Record<TrainingMethodName, readonly Row[]>> = {
  dreambooth: [
    ["none", undefined, 0.3741, 0.6797, 0.2834],
    ["cfg", undefined, 0.4701, 0.7349, 0.3345],
    ["cfg+ag", undefined, 0.4831, 0.7408, 0.3236],
    ["pg", 0, 0.4985, 0.7516, 0.326],
    ["pg", 0.1, 0.4987, 0.7514, 0.3261],
    ["pg", 0.2, 0.4991, 0.7516, 0.3264],
    ["pg", 0.3, 0.5, 0.7519, 0.3265],
    ["pg", 0.4, 0.5011, 0.7514, 0.3271],
    ["pg", 0.5, 0.5021, 0.7512, 0.328],
    ["pg", 0.6, 0.5024, 0.7509, 0.3288],
    ["pg", 0.7, 0.5017, 0.7495, 0.3302],
    ["pg", 0.8, 0.4979, 0.7473, 0.332],
    ["pg", 0.9, 0.4881, 0.7425, 0.3333],
    ["cfg++", undefined, 0.4738, 0.7352, 0.3321],
    ["pg++", 0, 0.5059, 0.751, 0.325],
  ],
  "dreambooth-ti": [
    ["none", undefined, 0.3725, 0.6775, 0.2817],
    ["cfg", undefined, 0.4618, 0.7292, 0.3316],
    ["sag", undefined, 0.46, 0.7273, 0.3307],
    ["cfg+ag", undefined, 0.4806, 0.7408, 0.3264],
    ["pg", 0, 0.4814, 0.7459, 0.3233],
    ["pg", 0.1, 0.4815, 0.7459, 0.3236],
    ["pg", 0.2, 0.4821, 0.7457, 0.3239],
    ["pg", 0.3, 0.4832, 0.7456, 0.3242],
    ["pg", 0.4, 0.4847, 0.746, 0.3247],
    ["pg", 0.5, 0.486, 0.7461, 0.3254],
    ["pg", 0.6, 0.4874, 0.7454, 0.326],
    ["pg", 0.7, 0.488, 0.7461, 0.3272],
    ["pg", 0.8, 0.4867, 0.7416, 0.3287],
    ["pg", 0.9, 0.4794, 0.7375, 0.3306],
  ],
  "class-diffusion": [
    ["none", undefined, 0.3703, 0.6669, 0.2757],
    ["cfg", undefined, 0.5287, 0.7517, 0.3305],
    ["sag", undefined, 0.5172, 0.7465, 0.3296],
    ["cfg+ag", undefined, 0.557, 0.7628, 0.328],
    ["pg", 0, 0.57, 0.7656, 0.3297],
  ],
};

/** Table 7: CFG on DB-LoRAs of other ranks. Its rows for PG do not give omega. */
const cfgByRank: Readonly<Record<number, readonly [dino: number, clipI: number, clipT: number]>> = {
  8: [0.49, 0.7445, 0.3335],
  16: [0.5105, 0.7519, 0.3337],
  32: [0.5468, 0.7644, 0.3309],
};

/** The paper's training settings; those of guidance are the methods' defaults. */
const own = { rank: 4, steps: 500 } as const;

/**
 * The paper's numbers for a fine-tuning method and a guidance method on Stable Diffusion 1.5, shown beside ours whatever the
 * scale, rank and number of steps; if `experiment` varies one of these, only in the row with the paper's value.
 */
export function published(
  one: Personalisation,
  arm: Arm,
  { personalisation, guidance: methods }: Pick<Experiment, "personalisation" | "guidance">,
): PublishedScores | undefined {
  if (!("recipe" in one)) return undefined;
  const { guidance: method, omega: w, scale } = arm;
  // At omega 1 pg is cfg.
  const { baseline, isBaselineAt } = methodOf(method);
  const [guidance, omega] = w !== undefined && isBaselineAt?.omega === w ? [baseline, undefined] : [method, w];
  const trained = personalisation.filter((other) => "recipe" in other);
  const varies = (of: (other: (typeof trained)[number]) => number) => new Set(trained.map(of)).size > 1;
  const stepsOf = ({ steps = own.steps }: (typeof trained)[number]) => steps;
  const rankOf = ({ rank = own.rank }: (typeof trained)[number]) => rank;
  if (varies(stepsOf) && stepsOf(one) !== own.steps) return undefined;
  const scaled = methods.some((other) => other.method === method && (other.scale?.length ?? 1) > 1);
  const settings = settingsOf(method);
  if (scaled && scale !== settings.find(({ name }) => name === "scale")?.default) return undefined;
  // The paper has no settings that recipes record only when changed.
  if (settings.some((setting) => setting.told === "when changed" && arm[setting.name] !== undefined)) return undefined;
  const rank = one.recipe !== "class-diffusion" && varies(rankOf) ? rankOf(one) : own.rank;
  const row =
    rank === own.rank ? sd15[one.recipe]?.find((known) => known[0] === guidance && known[1] === omega) : undefined;
  const scores = row ? row.slice(2) : one.recipe === "dreambooth" && guidance === "cfg" ? cfgByRank[rank] : undefined;
  if (!scores) return undefined;
  const [dino, clipI, clipT] = scores as readonly [number, number, number];
  return { dino, clipI, clipT };
}
