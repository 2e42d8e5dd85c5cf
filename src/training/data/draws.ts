/** The batches of a run: which pictures, how changed, with what noise; all a function of the seed and the draw's number. */

import { mirrored, type Planes } from "../../images/pixels.ts";
import { normalValues, randomStream } from "../../random/streams.ts";
import type { Encoded, LatentEncoder } from "../objective/latents.ts";
import type { Noising } from "../objective/noising.ts";
import type { Sample } from "../objective/terms.ts";
import type { Share } from "../progress.ts";
import { augment } from "./augmentation.ts";
import { dataOrder } from "./data-order.ts";

/** Pictures that are drawn together: the subject's, or the class's. */
export interface Source {
  readonly purpose: "subject" | "class";
  readonly pictures: readonly { readonly planes: Planes; readonly prompt: string }[];
  readonly flip: boolean;
  readonly augmentation: boolean;
}

export interface DrawOptions {
  readonly seed: number;
  /** Pictures of each source. */
  readonly batch: number;
  readonly encoder: LatentEncoder;
  readonly noising: Noising;
  readonly text: (prompt: string) => Sample["text"];
  /** What a pixel's error counts, before the batch's mean is taken. */
  readonly weight: (at: {
    purpose: Source["purpose"];
    timestep: number;
    mask: Float32Array | undefined;
    elements: number;
  }) => number;
}

/** Encodes what stays the same, yielding how far it has come, then draws batches: the subject's pictures first, then the class's. */
export async function* prepareDraws(
  sources: readonly Source[],
  { seed, batch, encoder, noising, text, weight }: DrawOptions,
): AsyncGenerator<Share, (draw: number) => Promise<Sample[]>, undefined> {
  const known = new Map<string, Encoded>();
  const toEncode = sources.filter(({ augmentation }) => !augmentation);
  const total = toEncode.reduce((n, { pictures, flip }) => n + pictures.length * (flip ? 2 : 1), 0);
  for (const { purpose, pictures, flip } of toEncode) {
    for (const [index, { planes }] of pictures.entries()) {
      known.set(`${purpose} ${index} false`, await encoder.encode(planes));
      if (flip) known.set(`${purpose} ${index} true`, await encoder.encode(mirrored(planes)));
      yield { done: known.size, of: total };
    }
  }
  const orders = sources.map(({ purpose, pictures }) => dataOrder(seed, purpose, pictures.length));

  const sample = async (source: Source, order: (draw: number) => number, number: number): Promise<Sample> => {
    const { purpose, pictures, flip, augmentation } = source;
    const random = randomStream(seed, purpose, number);
    const index = order(number);
    const { planes, prompt } = pictures[index]!;
    const flipped = flip && random.uniform() < 0.5;
    const timestep = noising.timestepAt(random.integer(noising.timesteps));
    const changed = augmentation
      ? augment(flipped ? mirrored(planes) : planes, encoder.pixelsPerLatent, random)
      : { planes, words: "", mask: undefined };
    const moments = augmentation ? await encoder.encode(changed.planes) : known.get(`${purpose} ${index} ${flipped}`)!;
    const [channels, height, width] = encoder.shape(planes.size);
    const pixels = height * width;
    const count = channels * pixels;
    const one = weight({ purpose, timestep, mask: changed.mask, elements: count }) / batch;
    return {
      clean: encoder.sample(moments, normalValues(seed, `latents of ${purpose}`, number, count)),
      noise: normalValues(seed, `noise of ${purpose}`, number, count),
      timestep,
      weights: changed.mask ? changed.mask.map((m) => m * one) : new Float32Array(pixels).fill(one),
      text: text(changed.words + prompt),
    };
  };

  return async (draw) => {
    const samples: Sample[] = [];
    for (const [s, source] of sources.entries()) {
      for (let i = 0; i < batch; i++) samples.push(await sample(source, orders[s]!, draw * batch + i));
    }
    return samples;
  };
}
