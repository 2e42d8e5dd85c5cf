/** What training makes small, as graphs. */

import type { ModelSource } from "../../families/model-source.ts";
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
import { clipText, clipTextConfig } from "../../models/clip-text.ts";
import { moduleOf } from "../../models/module.ts";
import { textKeysValues, unet, unetConfig } from "../../models/unet.ts";
import { type Trained, trainsText } from "./trained.ts";

/**
 * The denoising loss: the sum over pictures, channels and pixels of weights * (prediction - target)^2.
 *
 * The weights carry all that recipes differ in: the mean, the prior's share, min-SNR weighting, masks. Inputs beside the
 * U-Net's: `target` like the latents, `weights` [batch, 1, h, w], and `ids` [batch, positions] where the text side is
 * trained, else `text` [batch, tokens, width].
 */
export function denoisingLoss(model: ModelSource, trained: Trained): Value {
  const module = moduleOf(model.unet.weights, { sites: trained.unet, open: trained.matrices });
  const config = unetConfig(model.unet.config);
  let text = textKeysValues(module, config);
  if (trainsText(trained)) text = connect(text, { text: recordText(model, trained).text! });
  const prediction = connect(unet(module, config), text).prediction!;
  const [batch, , height, width] = prediction.shape;
  const error = square(subtract(prediction, input("target", prediction.shape)));
  return sum(multiply(error, input("weights", [batch!, 1, height!, width!])));
}

/**
 * ClassDiffusion's semantic preservation loss: 1 - cos of the pooled texts of two prompts, the personal one and its class.
 *
 * Inputs: `ids` [2, positions] and `pooled` [2, positions, 1], which is 1 at the position that stands for the whole text.
 */
export function semanticLoss(model: ModelSource, trained: Trained): Value {
  const { text } = recordText(model, trained);
  const [batch, positions] = text!.shape;
  const pooled = sum(multiply(text!, input("pooled", [batch!, positions!, 1])), [1]); // [2, width]
  const cosine = cosineSimilarity(slice(pooled, 0, 0, 1), slice(pooled, 0, 1, 2)); // [1]
  return subtract(1, sum(cosine));
}

const recordText = (model: ModelSource, trained: Trained): Outputs =>
  clipText(
    moduleOf(model.textEncoder.weights, { sites: trained.textEncoder }),
    clipTextConfig(model.textEncoder.config),
  );

export const gradientOf = (name: string): string => `gradient of ${name}`;

/** The loss with its gradients by those of `names` that it depends on. */
export function withGradients(loss: Value, names: Iterable<string>): Outputs {
  const inputs = inputsOf({ loss });
  const wrt = [...names].filter((name) => inputs.has(name));
  const gradients = grad(
    loss,
    wrt.map((name) => inputs.get(name)!),
  );
  return { loss, ...Object.fromEntries(wrt.map((name, i) => [gradientOf(name), gradients[i]!])) };
}
