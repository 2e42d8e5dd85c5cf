/** Evaluates the embedded model's networks on held-out pictures and individuals. */
import { join } from "node:path";
import type { Pixels } from "../src/images/pixels.ts";
import { planesOf } from "../src/images/pixels.ts";
import { type ClipEncoder, openClip, openViT } from "../src/metrics/encoders.ts";
import { cosine, type Features } from "../src/metrics/features.ts";
import { lazyDecoder } from "../src/pipelines/decoder.ts";
import { Pipeline } from "../src/pipelines/pipeline.ts";
import type { Engine } from "../src/runtime/index.ts";
import { buildLatentEncoder } from "../src/training/objective/latents.ts";
import { individualOf, rasterize, render, side, subjectOf } from "../src/world/render.ts";
import { subjects } from "../src/world/subjects/index.ts";
import { promptOf, themesOf } from "../src/world/world.ts";
import { autoencoderOf, openNetwork } from "./open-network.ts";
import { pictureOfSample, type WorldSample, worldSample } from "./sampling.ts";

/** Transforms RGB bytes, 128 x 128, before they are judged. */
export type Seen = (picture: Uint8Array) => Promise<Uint8Array>;

const asItIs: Seen = async (picture) => picture;

/** Passes pictures through a model's autoencoder: the best the model could possibly draw. */
export async function throughAutoencoder(engine: Engine, modelFolder: string): Promise<Seen> {
  const vae = await openNetwork(join(modelFolder, "vae"));
  const encoder = await buildLatentEncoder(engine, autoencoderOf(vae));
  const decoder = lazyDecoder(engine, autoencoderOf(vae));
  const [channels, height, width] = encoder.shape(side);
  return async (picture) => {
    const moments = await encoder.encode(planesOf(picture, side));
    const centre = encoder.sample(moments, new Float32Array(channels * height * width));
    return (await decoder.decode(centre, height, width)).data;
  };
}

/** PSNR of pictures through an autoencoder, in dB, from the mean squared error. */
export async function judgeAutoencoder(through: Seen, count: number): Promise<number> {
  let squares = 0;
  for (let i = 0; i < count; i++) {
    const picture = pictureOfSample(worldSample(i, "held out"));
    const seen = await through(picture);
    squares += picture.reduce((sum, value, k) => sum + (value - seen[k]!) ** 2, 0) / picture.length;
  }
  return 10 * Math.log10(255 ** 2 / (squares / count));
}

/** CLIP's retrieval top-1 rates. */
export interface Ranked {
  /** For the theme, among all themes of the kind. */
  readonly theme: number;
  /** For the kind, among all kinds that suit the theme. */
  readonly kind: number;
}

/** CLIP's retrieval on the world's own pictures, optionally transformed by `seen`: an upper bound for the model. */
export async function judgeClip(engine: Engine, modelFolder: string, count: number, seen = asItIs): Promise<Ranked> {
  return rankedRight(engine, modelFolder, count, (sample) => seen(pictureOfSample(sample)));
}

/** Retrieval by CLIP, which was trained separately, on what the model draws for (class, scene) prompts at default settings. */
export async function judgeModel(engine: Engine, modelFolder: string, count: number): Promise<Ranked> {
  const pipeline = await Pipeline.load(modelFolder, { device: "cpu" });
  try {
    return await rankedRight(engine, modelFolder, count, async ({ individual: { noun }, theme }, i) => {
      const prompt = promptOf(themesOf(subjectOf(noun)).get(theme)!, noun);
      for await (const event of pipeline.generate({ prompt, seed: i })) {
        if (event.type === "picture") return event.data;
      }
      throw new Error("no picture was drawn");
    });
  } finally {
    await pipeline.close();
  }
}

/** Prompts about a kind of thing by the names of its themes. */
export function themesTold(noun: string): ReadonlyMap<string, string> {
  return new Map([...themesOf(subjectOf(noun))].map(([name, theme]) => [name, promptOf(theme, noun)]));
}

/** Prompts of a theme by the kinds of things that it goes with; `noun` is one of them. */
export function kindsOf(noun: string, theme: string): ReadonlyMap<string, string> {
  const told = themesOf(subjectOf(noun)).get(theme)!;
  const alike = [...subjects.values()].filter((other) => themesOf(other).has(theme));
  return new Map(alike.map((other) => [other.noun, promptOf(told, other.noun)]));
}

/** CLIP of texts under their names, each set of them encoded once. */
export function toldTo(
  clip: ClipEncoder,
): (texts: ReadonlyMap<string, string>) => Promise<ReadonlyMap<string, Features>> {
  const known = new Map<string, ReadonlyMap<string, Features>>();
  return async (texts) => {
    const key = [...texts.values()].join("\n");
    const before = known.get(key);
    if (before) return before;
    const features = await clip.texts([...texts.values()]);
    const told = new Map([...texts.keys()].map((name, i) => [name, features[i]!]));
    known.set(key, told);
    return told;
  };
}

/** The name whose text a picture is nearest to. */
export function firstOf(picture: Features, told: ReadonlyMap<string, Features>): string {
  let best = { name: "", score: Number.NEGATIVE_INFINITY };
  for (const [name, text] of told) {
    const score = cosine(picture, text);
    if (score > best.score) best = { name, score };
  }
  return best.name;
}

type ThemedSample = WorldSample & { readonly theme: string };

/** The first held-out samples that have a theme. */
export function* themedSamples(count: number): Generator<ThemedSample> {
  for (let i = 0, found = 0; found < count; i++) {
    const sample = worldSample(i, "held out");
    const { theme } = sample;
    if (theme === undefined) continue;
    found++;
    yield { ...sample, theme };
  }
}

/** Retrieval by CLIP on what `draw` returns for the {@link themedSamples}, RGB bytes. */
export async function rankedRight(
  engine: Engine,
  modelFolder: string,
  count: number,
  draw: (sample: ThemedSample, number: number) => Promise<Uint8Array>,
): Promise<Ranked> {
  const clip = await openClip(engine, join(modelFolder, "clip"), join(modelFolder, "tokenizer"), "dreambooth");
  const told = toldTo(clip);
  const right = { theme: 0, kind: 0 };
  let judged = 0;
  for (const sample of themedSamples(count)) {
    const [picture] = await clip.pictures([pixelsOf(await draw(sample, judged))]);
    judged++;
    const { noun } = sample.individual;
    if (firstOf(picture!, await told(themesTold(noun))) === sample.theme) right.theme++;
    if (firstOf(picture!, await told(kindsOf(noun, sample.theme))) === noun) right.kind++;
  }
  return { theme: right.theme / judged, kind: right.kind / judged };
}

/**
 * Retrieval top-1: the share of pictures whose nearest neighbour, among one picture of each of `count` individuals in another
 * theme, is of the same individual. `seen` transforms the queries, not the gallery.
 */
export async function judgeViT(
  engine: Engine,
  modelFolder: string,
  noun: string,
  count: number,
  seen = asItIs,
): Promise<number> {
  const vit = await openViT(engine, join(modelFolder, "vit"), "dreambooth");
  const themes = [...themesOf(subjectOf(noun)).values()];
  const held = 2 ** 30;
  const featuresIn = async (theme: number, seen: Seen): Promise<Features[]> => {
    const rows: Features[] = [];
    for (let i = 0; i < count; i++) {
      const drawing = render(
        individualOf(noun, held + i),
        themes[(theme + i) % themes.length],
        held + theme * count + i,
      );
      rows.push((await vit.pictures([pixelsOf(await seen(rasterize(drawing)))]))[0]!);
    }
    return rows;
  };
  const [queries, gallery] = [await featuresIn(0, seen), await featuresIn(7, asItIs)];
  const right = queries.filter((query, i) =>
    gallery.every((other, j) => j === i || cosine(query, other) < cosine(query, gallery[i]!)),
  );
  return right.length / count;
}

const pixelsOf = (data: Uint8Array): Pixels => ({ width: side, height: side, data });
