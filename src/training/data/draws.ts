/** The batches of a run: pictures, augmentation and noise, all a function of the seed and the draw's index. */

import { mirrored, type Planes } from "../../images/pixels.ts";
import { normalValues, randomStream } from "../../random/streams.ts";
import type { Encoded, LatentEncoder } from "../objective/latents.ts";
import type { Noising } from "../objective/noising.ts";
import type { Sample } from "../objective/terms.ts";
import type { Share } from "../progress.ts";
import { augment } from "./augmentation.ts";
import { dataOrder } from "./data-order.ts";

/** A picture that is decoded when needed. */
export interface SourcePicture {
  readonly planes: () => Promise<Planes>;
  /** What the denoiser is told about sizes, if the family has it: numbers by input. */
  readonly conditions?: Sample["conditions"];
  readonly prompt: string;
  /** How often it is drawn per epoch; 1 by default. */
  readonly repeats?: number;
}

/** With augmentation, this many decoded pictures stay in memory; others are decoded for every draw. */
const mostHeld = 32;

/** Pictures that are drawn together: instance images or class images. */
export interface Source {
  readonly purpose: "subject" | "class";
  readonly pictures: readonly SourcePicture[];
  readonly flip: boolean;
  readonly augmentation: boolean;
}

export interface DrawOptions {
  readonly seed: number;
  /** Pictures per batch from each source. */
  readonly batch: number;
  /** Side of the pictures in pixels. */
  readonly resolution: number;
  readonly encoder: LatentEncoder;
  readonly noising: Noising;
  readonly text: (prompt: string) => Sample["text"];
  /** The share of prompts replaced by "". */
  readonly captionDropout?: number | undefined;
  /** The weight of a pixel's error, before the mean over the batch. */
  readonly weight: (at: {
    purpose: Source["purpose"];
    timestep: number;
    mask: Float32Array | undefined;
    elements: number;
  }) => number;
}

/** Encodes what stays constant, yielding the progress, then draws batches: instance images first, then class images. */
export async function* prepareDraws(
  sources: readonly Source[],
  { seed, batch, resolution, encoder, noising, text, captionDropout = 0, weight }: DrawOptions,
): AsyncGenerator<Share, (draw: number) => Promise<Sample[]>, undefined> {
  const known = new Map<string, Encoded>();
  const toEncode = sources.filter(({ augmentation }) => !augmentation);
  const total = toEncode.reduce((n, { pictures, flip }) => n + pictures.length * (flip ? 2 : 1), 0);
  for (const { purpose, pictures, flip } of toEncode) {
    for (const [index, picture] of pictures.entries()) {
      const planes = await picture.planes();
      known.set(`${purpose} ${index} false`, await encoder.encode(planes));
      if (flip) known.set(`${purpose} ${index} true`, await encoder.encode(mirrored(planes)));
      yield { done: known.size, of: total };
    }
  }
  const orders = sources.map(({ purpose, pictures }) => {
    const shown = pictures.flatMap(({ repeats = 1 }, index) => new Array<number>(repeats).fill(index));
    const order = dataOrder(seed, purpose, shown.length);
    return (draw: number) => shown[order(draw)]!;
  });
  const held = new Map<string, Planes>();
  const planesOf = async (purpose: string, index: number, { planes }: SourcePicture): Promise<Planes> => {
    const key = `${purpose} ${index}`;
    const decoded = held.get(key) ?? (await planes());
    if (held.size < mostHeld) held.set(key, decoded);
    return decoded;
  };

  const sample = async (source: Source, order: (draw: number) => number, number: number): Promise<Sample> => {
    const { purpose, pictures, flip, augmentation } = source;
    const random = randomStream(seed, purpose, number);
    const index = order(number);
    const { prompt, conditions } = pictures[index]!;
    const flipped = flip && random.uniform() < 0.5;
    const timestep = noising.timestepAt(random.integer(noising.timesteps));
    const dropped = captionDropout > 0 && random.uniform() < captionDropout;
    const planes = augmentation ? await planesOf(purpose, index, pictures[index]!) : undefined;
    const changed = planes
      ? augment(flipped ? mirrored(planes) : planes, encoder.pixelsPerLatent, random)
      : { planes, words: "", mask: undefined };
    const moments = changed.planes
      ? await encoder.encode(changed.planes)
      : known.get(`${purpose} ${index} ${flipped}`)!;
    const [channels, height, width] = encoder.shape(resolution);
    const pixels = height * width;
    const count = channels * pixels;
    const one = weight({ purpose, timestep, mask: changed.mask, elements: count }) / batch;
    return {
      clean: encoder.sample(moments, normalValues(seed, `latents of ${purpose}`, number, count)),
      noise: normalValues(seed, `noise of ${purpose}`, number, count),
      timestep,
      weights: changed.mask ? changed.mask.map((m) => m * one) : new Float32Array(pixels).fill(one),
      text: text(dropped ? "" : changed.words + prompt),
      ...(conditions && { conditions }),
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
