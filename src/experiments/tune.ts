/** Finds omega for an adapter: the most faithful to the subject that stays faithful to the text. */
import { join } from "node:path";
import { writeWhole } from "../bytes/write-whole.ts";
import { TillerError } from "../errors/index.ts";
import { openModel } from "../families/open-model.ts";
import { promptNames } from "./concepts.ts";
import { type Experiment, type GivenExperiment, parseExperiment } from "./experiment.ts";
import { intervalChart, type Series } from "./interval-chart.ts";
import type { RunOptions } from "./networks.ts";
import type { RunProgress } from "./run.ts";
import { runExperiment } from "./run-experiment.ts";
import { type Candidate, type Drawn, type Found, leastBudget, type Measure, search } from "./search.ts";

/** The request of a search for omega. */
export interface TuneRequest {
  /** A folder, a single file, a hub id, or `dinghy`. */
  readonly model: string;
  /** The adapters, as `Pipeline.load` takes them. */
  readonly adapters: readonly string[];
  /** The folder of the subject's own pictures. */
  readonly images: string;
  /** The subject's token in prompts. */
  readonly token: string;
  /** The class noun: `cat`. */
  readonly class: string;
  /** Whether it is a person or an animal, whose prompts include clothes. */
  readonly live: boolean;
  /** The most pictures to draw. */
  readonly budget: number;
  /** Guidance scales to try; the model's by default. All are compared with cfg at the first. */
  readonly scales?: readonly number[] | undefined;
  /** The least share of cfg's CLIP-T to keep, 0 to 1. */
  readonly floor: number;
  /** Sampler steps; the model's by default. */
  readonly steps?: number | undefined;
  /** Folders of a CLIP and a ViT; the embedded ones by default, which only know the embedded world. */
  readonly encoders?: Experiment["encoders"];
}

/** What a search for omega came to. */
export interface Tuned extends Found {
  /** The setting that all are compared with. */
  readonly cfg: Candidate;
  /** The file of the chart, which shows the numbers of `tried`. */
  readonly chart: string;
}

/** Finer steps could not be told apart by a few dozen pictures. */
const omegas = [0, 0.2, 0.4, 0.6, 0.8];

/**
 * Draws all omegas on eight prompts, then the better half of them on more, and the last two on as many as the budget allows.
 * Every comparison is with cfg on the same prompts and seeds. Pictures are never drawn twice, even by a later call on the same
 * folder.
 *
 * @throws TillerError if the budget is too small for the first round, or the floor is not a share.
 */
export async function tune(
  request: TuneRequest,
  options: RunOptions,
  onProgress: (progress: RunProgress) => void = () => {},
): Promise<Tuned> {
  const { budget, floor } = request;
  if (!(floor > 0 && floor <= 1))
    throw new TillerError("option-invalid", `--floor ${floor} must be a share: above 0 and at most 1.`);
  const prompts = spreadPrompts(request.live);
  const scales = request.scales ?? [(await openModel(request.model)).defaults.scale];
  const cfg = { omega: 1, scale: scales[0]! };
  const candidates = scales.flatMap((scale, i) =>
    [...(i > 0 ? [1] : []), ...omegas].map((omega) => ({ omega, scale })),
  );
  const least = leastBudget(candidates.length, prompts.length);
  if (budget < least)
    throw new TillerError(
      "budget-too-small",
      `--budget ${budget} is too small: these scales need at least ${least} pictures.`,
    );
  let before = 0;
  const measure: Measure = async (those, places) => {
    const drawn = those.map((): Drawn[] => []);
    for (const seed of new Set(places.map((place) => place.seed))) {
      const names = places.filter((place) => place.seed === seed).map(({ prompt }) => prompt);
      const pictures = names.length * those.length;
      const experiment = experimentOf(request, those, names, seed);
      const { arms } = await runExperiment(experiment, options, (progress) =>
        onProgress(withinBudget(progress, { budget, before, pictures })),
      );
      before += pictures;
      for (const [i, { omega, scale }] of those.entries()) {
        const arm = arms.find(({ arm }) => arm.scale === scale && (arm.omega ?? 1) === omega)!;
        for (const { prompt, scores } of arm.prompts)
          drawn[i]!.push({ prompt, seed, dino: scores.dino!, clipT: scores.clipT! });
      }
    }
    return drawn;
  };
  const found = await search(candidates, cfg, { prompts, budget, floor }, measure);
  const chart = join(options.folder, "tune.svg");
  const ink = { text: "#1d1c1a", faint: "#8b867d", paper: "#ffffff" };
  await writeWhole(chart, intervalChart(seriesOf(found), { x: "omega", y: "over cfg" }, ink));
  return { ...found, cfg, chart };
}

/** The table's numbers: DINO and CLIP-T over cfg's by omega, for each scale. */
export function seriesOf({ tried }: Pick<Found, "tried">): Series[] {
  const scales = [...new Set(tried.map(({ scale }) => scale))];
  return scales.flatMap((scale) =>
    (["dino", "clipT"] as const).map((metric): Series => {
      const label = metric === "dino" ? "DINO" : "CLIP-T";
      const points = tried.filter((one) => one.scale === scale).map((one) => ({ x: one.omega, ...one[metric] }));
      return { name: scales.length > 1 ? `${label}, scale ${scale}` : label, points };
    }),
  );
}

interface Round {
  /** The most pictures, those of earlier rounds, and of this one. */
  readonly budget: number;
  readonly before: number;
  readonly pictures: number;
}

/** Converts the progress of a round to that of the whole budget. */
function withinBudget({ pace, ...progress }: RunProgress, { budget, before, pictures }: Round): RunProgress {
  const steps = pace.total / pictures;
  const total = budget * steps;
  const done = Math.min(total, before * steps + pace.done);
  const { secondsPerStep } = pace;
  const secondsLeft = secondsPerStep === undefined ? undefined : secondsPerStep * (total - done);
  return {
    ...progress,
    done: Math.floor(done / steps),
    total: budget,
    pace: { done, total, secondsPerStep, secondsLeft },
  };
}

function experimentOf(
  { model, adapters, images, token, class: noun, live, steps, encoders }: TuneRequest,
  candidates: readonly Candidate[],
  prompts: readonly string[],
  seed: number,
): GivenExperiment {
  return parseExperiment({
    name: "tune",
    model,
    personalisation: [{ adapters }],
    guidance: candidates.map(({ omega, scale }) =>
      omega === 1 ? { method: "cfg", scale } : { method: "pg", scale, omega },
    ),
    concepts: [{ name: "subject", images, class: noun, live }],
    prompts,
    pictures: 1,
    seed,
    steps,
    token,
    encoders,
  });
}

/** All prompts, in an order whose every prefix is spread over the whole list. */
function spreadPrompts(live: boolean): string[] {
  const names = promptNames(live);
  // 31 is prime, so steps of 12 reach every prompt.
  return names.map((_, i) => names[(i * 12) % names.length]!);
}
