/** How far a whole run is: its class pictures, its steps and its samples as one. */
import { type Pace, paceOf } from "../../pace.ts";
import type { TrainingSettings } from "./options.ts";
import { stepsOfSamples } from "./samples.ts";

/** Rows that a picture's step evaluates: with a prompt and without. */
const rowsOfPicture = 2;
/** A gradient costs twice what its evaluation does. */
const evaluationsOfGradient = 3;

export interface RunPace {
  /** So many steps of the class pictures are done. */
  drawn(done: number): Pace;
  trained(step: number): Pace;
  /** So many steps of the samples after a step of training are done. */
  sampled(step: number, done: number): Pace;
  /** A run that has so many steps already goes on. */
  resumed(step: number): Pace;
}

/** @param classSteps Steps that the class pictures which are to be drawn take together. */
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
