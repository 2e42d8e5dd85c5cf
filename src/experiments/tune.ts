/** Finds omega for an adapter: the most faithful to the subject that stays faithful to the text. */
import { join } from "node:path";
import { writeWhole } from "../bytes/write-whole.ts";
import { TillerError } from "../errors/index.ts";
import { openModel } from "../families/open-model.ts";
import { promptNames } from "./concepts.ts";
import { type Experiment, type GivenExperiment, parseExperiment } from "./experiment.ts";
import { fidelityPlane } from "./fidelity-plane.ts";
import type { RunOptions } from "./networks.ts";
import type { ArmResult } from "./results.ts";
import type { RunProgress } from "./run.ts";
import { runExperiment } from "./run-experiment.ts";

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
  /** Guidance scales to try; the model's by default. */
  readonly scales?: readonly number[] | undefined;
  /** The least share of cfg's CLIP-T to keep, 0 to 1. */
  readonly floor: number;
  /** Sampler steps; the model's by default. */
  readonly steps?: number | undefined;
  /** Folders of a CLIP and a ViT; the embedded ones by default, which only know the embedded world. */
  readonly encoders?: Experiment["encoders"];
}

/** The omega found, with the measurements. */
export interface Tuned {
  /** 1, which is cfg, if no other omega is better and keeps the text. */
  readonly omega: number;
  /** The guidance scale that goes with it. */
  readonly scale: number;
  /** The result at the proposed setting. */
  readonly chosen: ArmResult;
  /** The result of cfg on the same prompts and seeds. */
  readonly cfg: ArmResult;
  /** Every setting that was measured. */
  readonly arms: readonly ArmResult[];
  /** Number of pictures used, including those of earlier calls. */
  readonly pictures: number;
  /** The file of the plot: text fidelity against subject fidelity. */
  readonly curve: string;
}

const coarse = [0, 0.2, 0.4, 0.6, 0.8];
/** Seeds per prompt. */
const seeds = 2;

/**
 * First tries a few omegas far apart on some prompts; then the neighbours of the best on the same prompts; then the best few on
 * as many more prompts as the budget allows. Pictures are never drawn twice, even by a later call on the same folder.
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
  // The first round gets a third of the budget; cfg is drawn at every scale too.
  const first = Math.min(prompts.length, Math.floor(budget / 3 / ((coarse.length + 1) * scales.length * seeds)));
  if (first < 1) {
    const least = 3 * (coarse.length + 1) * scales.length * seeds;
    throw new TillerError(
      "budget-too-small",
      `--budget ${budget} is too small: these scales need at least ${least} pictures.`,
    );
  }
  const all = plannedPictures({ budget, scales: scales.length, first, prompts: prompts.length });
  let before = 0;
  /** Runs a round; `fresh` of its pictures are new. */
  const measure = async (omegas: readonly number[], at: readonly number[], count: number, fresh: number) => {
    const experiment = experimentOf(request, omegas, at, prompts.slice(0, count));
    const pictures = (omegas.length + 1) * at.length * count * seeds;
    const { arms } = await runExperiment(experiment, options, (progress) =>
      onProgress(withinAll(progress, { all, before, pictures, fresh })),
    );
    before += fresh;
    return arms;
  };

  const rough = await measure(coarse, scales, first, (coarse.length + 1) * scales.length * first * seeds);
  const scale = best(rough, floor).arm.scale!;
  const middle = omegaOf(best(rough, floor));
  const near = [middle - 0.1, middle, middle + 0.1].filter((omega) => omega >= 0 && omega < 1).map(rounded);
  const added = near.filter((omega) => !coarse.includes(omega)).length;
  const fine = await measure([...new Set([...coarse, ...near])], [scale], first, added * first * seeds);
  const drawn = rough.reduce((sum, { pictures }) => sum + pictures, 0) + added * first * seeds;
  const last = ranked(fine, floor)
    .map(omegaOf)
    .filter((omega) => omega !== 1)
    .slice(0, 3);
  const more = Math.floor((budget - drawn) / ((last.length + 1) * seeds));
  const count = Math.min(prompts.length, first + Math.max(0, more));
  const final = await measure(last, [scale], count, (last.length + 1) * (count - first) * seeds);
  const chosen = best(final, floor);
  const curve = join(options.folder, "curve.svg");
  const ink = { text: "#1d1c1a", faint: "#8b867d", point: "#1d1c1a", curve: "#c2410c", paper: "#ffffff" };
  await writeWhole(curve, fidelityPlane(fine, ink));
  const inFinal = new Set(final.map(({ name }) => name));
  return {
    omega: omegaOf(chosen),
    scale,
    chosen,
    cfg: cfgOf(final, chosen),
    arms: [...final, ...fine.filter(({ name }) => !inFinal.has(name))],
    curve,
    pictures: drawn + (count - first) * (last.length + 1) * seeds,
  };
}

/** An estimate of the pictures of all rounds: usually the best omega has two neighbours. */
function plannedPictures(round: { budget: number; scales: number; first: number; prompts: number }): number {
  const { budget, scales, first, prompts } = round;
  const known = ((coarse.length + 1) * scales + 2) * first * seeds;
  const arms = 4;
  const more = Math.min(prompts - first, Math.max(0, Math.floor((budget - known) / (arms * seeds))));
  return known + arms * more * seeds;
}

interface Round {
  /** Pictures of all rounds, of earlier rounds, of this one, and the new ones of this one. */
  readonly all: number;
  readonly before: number;
  readonly pictures: number;
  readonly fresh: number;
}

/** Converts the progress of a round to that of all rounds. */
function withinAll({ pace, ...progress }: RunProgress, { all, before, pictures, fresh }: Round): RunProgress {
  const steps = pace.total / pictures;
  const total = all * steps;
  const done = Math.min(total, before * steps + Math.max(0, pace.done - (pictures - fresh) * steps));
  const { secondsPerStep } = pace;
  const secondsLeft = secondsPerStep === undefined ? undefined : secondsPerStep * (total - done);
  return {
    ...progress,
    done: Math.floor(done / steps / seeds),
    total: all / seeds,
    pace: { done, total, secondsPerStep, secondsLeft },
  };
}

function experimentOf(
  { model, adapters, images, token, class: noun, live, steps, encoders }: TuneRequest,
  omega: readonly number[],
  scale: readonly number[],
  prompts: readonly string[],
): GivenExperiment {
  return parseExperiment({
    name: "tune",
    model,
    personalisation: [{ adapters }],
    guidance: [
      { method: "cfg", scale },
      { method: "pg", scale, omega },
    ],
    concepts: [{ name: "subject", images, class: noun, live }],
    prompts,
    pictures: seeds,
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

const cfgOf = (arms: readonly ArmResult[], { arm }: ArmResult): ArmResult =>
  arms.find((other) => other.arm.guidance === "cfg" && other.arm.scale === arm.scale)!;

/** Cfg is pg at omega 1. */
const omegaOf = ({ arm }: ArmResult): number => arm.omega ?? 1;

/**
 * Arms that keep the text first, by subject fidelity; then the others by how close they come. Cfg is among the former.
 */
function ranked(arms: readonly ArmResult[], floor: number): ArmResult[] {
  const kept = (one: ArmResult) => one.scores.clipT!.mean / cfgOf(arms, one).scores.clipT!.mean;
  const value = (one: ArmResult) => (kept(one) >= floor ? 1 + one.scores.dino!.mean : kept(one) - floor);
  return arms.toSorted((a, b) => value(b) - value(a));
}

const best = (arms: readonly ArmResult[], floor: number): ArmResult => ranked(arms, floor)[0]!;

const rounded = (omega: number) => Math.round(omega * 100) / 100;
