/** Progress of a whole run: class images, training steps and samples together. */
import { type Pace, paceOf } from "../../pace.ts";
import type { TrainingSettings } from "./options.ts";
import { stepsOfSamples } from "./samples.ts";

/** Rows evaluated per sampler step: with and without the prompt. */
const rowsOfPicture = 2;
/** A gradient costs twice as much as the evaluation, three evaluations in all. */
const evaluationsOfGradient = 3;

export interface RunPace {
  /** After so many steps of the class images. */
  drawn(done: number): Pace;
  trained(step: number): Pace;
  /** After so many steps of the samples that follow a training step. */
  sampled(step: number, done: number): Pace;
  /** When a run resumes after so many steps. */
  resumed(step: number): Pace;
}

/** @param classSteps Sampler steps for all missing class images together. */
export function runPace(settings: TrainingSettings, classSteps: number): RunPace {
  const { steps, batch, accumulate, prior } = settings;
  const rows = batch * accumulate * (prior ? 2 : 1);
  const at = paceOf({
    class: { steps: classSteps, weight: rowsOfPicture },
    training: { steps, weight: rows * evaluationsOfGradient },
    samples: { steps: stepsOfSamples(settings, steps), weight: rowsOfPicture },
  });
  const sampled: RunPace["sampled"] = (step, done) => at("samples", stepsOfSamples(settings, step - 1) + done);
  return {
    drawn: (done) => at("class", done),
    trained: (step) => at("training", step),
    sampled,
    resumed(step) {
      at("training", step);
      at("samples", stepsOfSamples(settings, step));
      return at("class", classSteps);
    },
  };
}
