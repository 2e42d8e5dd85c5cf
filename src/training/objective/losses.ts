/** The training losses, as graphs. */

import type { Model } from "../../families/family.ts";
import {
  connect,
  cosineSimilarity,
  grad,
  input,
  inputsOf,
  multiply,
  type Outputs,
  slice,
  square,
  subtract,
  sum,
  type Value,
} from "../../graph/index.ts";
import { modulesOf } from "../../models/components.ts";
import { type Trained, trainsText } from "./trained.ts";

/** The parts of a model that the losses use. */
export type LossModel = Pick<Model, "components" | "text" | "denoiser">;

/**
 * The denoising loss: the sum over pictures, channels and pixels of weights * (prediction - target)^2.
 *
 * The weights carry everything in which methods differ: the mean, the prior's weight, min-SNR weighting, masks. Inputs besides
 * the denoiser's: `target` shaped like the latents, `weights` [batch, 1, h, w], and the text networks' inputs if the text side is
 * trained, else their outputs.
 */
export function denoisingLoss(model: LossModel, trained: Trained): Value {
  const modules = trainedModules(model, trained);
  let prepared = model.denoiser.prepare(modules);
  if (trainsText(model, trained)) prepared = connect(prepared, model.text.graph(modules));
  const prediction = connect(model.denoiser.predict(modules), prepared).prediction!;
  const [batch, , height, width] = prediction.shape;
  const error = square(subtract(prediction, input("target", prediction.shape)));
  return sum(multiply(error, input("weights", [batch!, 1, height!, width!])));
}

/**
 * ClassDiffusion's semantic preservation loss: 1 - cos of the pooled texts of two prompts, the personalised one and that of its
 * class.
 *
 * Inputs: the text networks' for two rows, and `pooled` [2, positions, 1], which is 1 at the position to pool.
 */
export function semanticLoss(model: LossModel, trained: Trained): Value {
  const { text } = model.text.graph(trainedModules(model, trained));
  const [batch, positions] = text!.shape;
  const pooled = sum(multiply(text!, input("pooled", [batch!, positions!, 1])), [1]); // [2, width]
  const cosine = cosineSimilarity(slice(pooled, 0, 0, 1), slice(pooled, 0, 1, 2)); // [1]
  return subtract(1, sum(cosine));
}

const trainedModules = ({ components }: LossModel, { lowRank, matrices }: Trained) =>
  modulesOf(components, { sites: lowRank, open: matrices });

export const gradientOf = (name: string): string => `gradient of ${name}`;

/** The loss with its gradients with respect to those of `names` that it depends on. */
export function withGradients(loss: Value, names: Iterable<string>): Outputs {
  const inputs = inputsOf({ loss });
  const wrt = [...names].filter((name) => inputs.has(name));
  const gradients = grad(
    loss,
    wrt.map((name) => inputs.get(name)!),
  );
  return { loss, ...Object.fromEntries(wrt.map((name, i) => [gradientOf(name), gradients[i]!])) };
}
