/** What it takes to learn photographs, for requests that name no model. */
import { TillerError } from "../../errors/index.ts";
import { embeddedModel } from "../../families/embedded.ts";
import { quickDrawing } from "../data/class-pictures.ts";
import { arePhotographs, type LookOptions } from "../data/photographs.ts";
import type { TrainingMethodName } from "../methods/index.ts";
import { fillSettings, type TrainingRequest } from "./options.ts";

/** The model for photographs, and what it takes: README.md's table of speed, measured on two cores. */
export const photographsModel = "stable-diffusion-v1-5/stable-diffusion-v1-5";
const reference = { cores: 2, resolution: 512, secondsPerPictureStep: 4.5, secondsPerRow: 6.7 };
/** Speed on more cores was not measured and is not assumed. */
const mostCores = 16;
const [download, memoryNeeded] = ["4.3 GB", 10.4 * 2 ** 30];

export interface Machine {
  readonly cores: number;
  /** Bytes. */
  readonly memory: number;
}

/** The phrases of the message that depend on how the user runs Tiller. */
export interface PhotographAdvice {
  /** How the message begins: "The pictures in my-cat". */
  readonly pictures: string;
  /** How to choose the other model: "train with --model …". */
  readonly instead: string;
  /** How to use dinghy anyway: "insist with --model dinghy". */
  readonly insist: string;
  readonly paths?: readonly string[] | undefined;
}

/**
 * Refuses a request that names no model if its pictures are photographs, which dinghy cannot learn.
 *
 * @throws TillerError `photographs-on-dinghy`, saying what is needed; or if the pictures cannot be read.
 */
export async function refusePhotographs(
  method: TrainingMethodName,
  request: Omit<TrainingRequest, "model">,
  machine: Machine,
  advice: PhotographAdvice,
  options: LookOptions = {},
): Promise<void> {
  const settings = fillSettings(method, { ...request, model: embeddedModel });
  if (!(await arePhotographs(settings.images, options))) return;
  throw new TillerError("photographs-on-dinghy", whatIsNeeded(settings, machine, advice), { paths: advice.paths });
}

type Settings = ReturnType<typeof fillSettings>;

function whatIsNeeded(settings: Settings, machine: Machine, { pictures, instead, insist }: PhotographAdvice): string {
  const { training, classPictures } = secondsOf(settings, machine.cores);
  const without = classPictures > 0 ? ` (${timeText(training / 2)} without class images)` : "";
  const memory = `${gibibytes(memoryNeeded)} of memory`;
  const here =
    machine.memory < memoryNeeded
      ? `${memory}, more than the ${gibibytes(machine.memory)} of this machine`
      : `${memory} of this machine's ${gibibytes(machine.memory)}`;
  const cores = machine.cores === 1 ? "core" : `${machine.cores} cores`;
  return (
    `${pictures} are photographs, and dinghy knows only drawn pictures: ${instead}, which takes a download of ${download} ` +
    `that stays on the disk, ${here}, and about ${timeText(training + classPictures)} on its ${cores}${without}, or ${insist}.`
  );
}

/** Seconds of a run on that model, estimated from the measurements. */
function secondsOf(settings: Settings, cores: number): { training: number; classPictures: number } {
  const { steps, batch, accumulate, prior, priorCount, classImages, resolution = reference.resolution } = settings;
  const slower = (reference.cores / Math.min(cores, mostCores)) * (resolution / reference.resolution) ** 2;
  const rows = batch * accumulate * (prior ? 2 : 1);
  const drawn = prior && classImages === undefined ? Math.min(priorCount, steps * accumulate * batch) : 0;
  return {
    training: steps * rows * reference.secondsPerRow * slower,
    classPictures: drawn * quickDrawing.steps * reference.secondsPerPictureStep * slower,
  };
}

const gibibytes = (bytes: number): string => `${Number((bytes / 2 ** 30).toPrecision(3))} GiB`;

/** "40 minutes", "3.4 hours", "16 hours". */
function timeText(seconds: number): string {
  const minutes = Math.max(1, Math.round(seconds / 60));
  if (minutes < 90) return minutes === 1 ? "1 minute" : `${minutes} minutes`;
  return `${Number((seconds / 3600).toPrecision(2))} hours`;
}
