/** What a worker does for others at most: a queue and a store may be written by somebody who means harm. */
import { TillerError } from "../errors/index.ts";
import { pictureFolder } from "../images/folder.ts";
import { fillSettings } from "../training/run/options.ts";
import { concepts as embeddedConcepts } from "../world/concepts.ts";
import { promptNames } from "./concepts.ts";
import type { Experiment, Personalisation } from "./experiment.ts";
import { readPromptList } from "./prompt-list.ts";

/** The largest numbers of one experiment. */
export const workerLimits = {
  /** Steps of one training, its pictures evaluated per step, and its rank. */
  training: 100_000,
  rows: 64,
  rank: 1024,
  /** The side of pictures in training, in pixels. */
  side: 2048,
  /** Class images. */
  classPictures: 10_000,
  /** Steps of all pictures of one prompt together. */
  pictureSteps: 1_000_000,
  /** Adapters and prompts by methods, all together. */
  units: 1_000_000,
};

/** @throws TillerError `work-too-large` if its settings ask for more than that; nothing that they name is read. */
export function refuseExcess(experiment: Experiment): void {
  const { personalisation, pictures, steps } = experiment;
  const { training, rows, rank, side, classPictures, pictureSteps } = workerLimits;
  for (const one of personalisation) {
    if (!("recipe" in one)) continue;
    const asked = settingsOf(one);
    refuse("training steps", asked.steps, training);
    refuse("pictures in a training step", asked.batch * asked.accumulate, rows);
    refuse("as the rank", asked.rank, rank);
    refuse("pixels a side", asked.resolution ?? 0, side);
    refuse("class images", asked.priorCount, classPictures);
  }
  refuse("steps for the pictures of a prompt", pictures * steps, pictureSteps);
  refuseUnits(experiment, 1, 1);
}

/**
 * The same for the pictures and prompts that it names, once they are here.
 *
 * @throws TillerError `work-too-large`.
 */
export async function refuseExcessFiles(experiment: Experiment): Promise<void> {
  const { prompts, edits } = experiment;
  const listed = typeof prompts === "object" && "file" in prompts ? (await readPromptList(prompts.file)).length : 1;
  refuseUnits(experiment, listed, edits ? (await pictureFolder(edits.images)).pictures.length : 1);
}

/**
 * @param listed Prompts in the file that it names.
 * @param sources Pictures in the folder of its edits.
 */
function refuseUnits(experiment: Experiment, listed: number, sources: number): void {
  const { personalisation, concepts, prompts, edits, guidance } = experiment;
  const arms = guidance.map(({ method: _, ...settings }) =>
    Object.values(settings).reduce((product, values) => product * (values?.length ?? 1), 1),
  );
  const texts = Array.isArray(prompts)
    ? prompts.length
    : typeof prompts === "object"
      ? listed
      : promptNames(true).length;
  const subjects = concepts === "none" ? 1 : concepts === "all" ? embeddedConcepts.length : concepts.length;
  const pairs = edits ? sources * (edits.instructions?.length ?? 1) : subjects * texts;
  refuse("units", personalisation.length * pairs * arms.reduce((sum, count) => sum + count, 0), workerLimits.units);
}

const settingsOf = ({ recipe, ...settings }: Extract<Personalisation, { recipe: unknown }>) =>
  fillSettings(recipe, {
    ...settings,
    model: "",
    images: "",
    out: "adapter.safetensors",
    token: "sks",
    class: "thing",
  });

function refuse(what: string, asked: number, most: number): void {
  if (asked <= most) return;
  throw new TillerError("work-too-large", `the experiment asks for ${asked} ${what}, and a worker accepts ${most}.`);
}
