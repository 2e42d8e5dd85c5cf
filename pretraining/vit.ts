/**
 * Stage 4: a ViT like DINO's that distinguishes individuals in any scene. It is initialised from the judging CLIP's vision tower.
 *
 * Besides the contrastive loss, an auxiliary linear head on its features predicts the individual's traits.
 */
import { join } from "node:path";
import { jsonObject, readJson } from "../src/bytes/json-file.ts";
import { add, input, matmul, multiply, square, subtract, sum, symbol, type Value } from "../src/graph/index.ts";
import { clipVisionConfig } from "../src/models/clip-vision.ts";
import { moduleOf } from "../src/models/module.ts";
import { vit as recordViT, vitConfig } from "../src/models/vit.ts";
import { randomStream } from "../src/random/streams.ts";
import { float32, type Tensor } from "../src/runtime/index.ts";
import { openCheckpoint } from "../src/weights/checkpoint.ts";
import { type Colour, css } from "../src/world/colour.ts";
import { type Individual, individualOf, side, subjectOf } from "../src/world/render.ts";
import { subjects } from "../src/world/subjects/index.ts";
import { themesOf } from "../src/world/world.ts";
import { crossEntropy, similarities, unitRows } from "./contrastive.ts";
import { readTensors } from "./read-tensors.ts";
import { heldOutFrom, planesOfSamples, type WorldSample } from "./sampling.ts";
import { openWeights, type Stage, type Workshop } from "./stage.ts";
import { traitReader } from "./traits.ts";
import { patchDeviation, vitFromClip } from "./vit-from-clip.ts";

/** Individuals of each kind in a batch (several, so that the kind alone is not enough), and pictures of each. */
const [individuals, views] = [6, 2];
/** Scale of the cosine similarities. */
const sharpness = 20;
/** Weight of the trait loss. */
const traitWeight = 3;
const traits = traitReader();
const nouns = [...subjects.keys()];

const width = 160;
const head = { weight: "traits.weight", bias: "traits.bias" };

export const config = {
  architectures: ["ViTModel"],
  model_type: "vit",
  hidden_size: width,
  intermediate_size: 4 * width,
  num_hidden_layers: 4,
  num_attention_heads: 4,
  hidden_act: "gelu",
  layer_norm_eps: 1e-12,
  image_size: side,
  patch_size: 16,
  num_channels: 3,
  qkv_bias: true,
};

export async function vit({ engine, modelFolder }: Workshop): Promise<Stage> {
  const clip = await openCheckpoint(join(modelFolder, "clip"));
  const { vision_config } = await readJson(join(modelFolder, "clip", "config.json"), jsonObject);
  const vision = clipVisionConfig(vision_config as Record<string, unknown>);
  const begun = vitFromClip(await readTensors(clip), vision, await patchDeviation(engine, clip, vision));
  return tellingApart({ config: { ...config, patch_size: vision.patch_size }, begun, kinds: 4, steps: 8000 });
}

/** The settings in which the ViT's stages differ. */
export interface TellingApart {
  /** The name of its logs; "vit" by default. */
  readonly name?: string | undefined;
  readonly config: Readonly<Record<string, unknown>>;
  /** The initial tensors. */
  readonly begun: ReadonlyMap<string, Tensor>;
  /** Kinds in a batch. */
  readonly kinds: number;
  readonly steps: number;
}

/** A stage in which a ViT learns to distinguish individuals. */
export function tellingApart({ name, config, begun, kinds, steps }: TellingApart): Stage {
  const batch = kinds * individuals * views;
  return {
    name,
    folder: "vit",
    file: "model.safetensors",
    config,
    settings: {
      steps,
      accumulate: 1,
      learningRate: 5e-4,
      schedule: "cosine",
      warmup: 200,
      weightDecay: 5e-2,
      clip: 1,
    },
    averaging: 0.999,
    start: () =>
      new Map([
        ...begun,
        [head.weight, float32([width, traits.width], new Float32Array(width * traits.width))],
        [head.bias, float32([traits.width], new Float32Array(traits.width))],
      ]),
    helps: (name) => name === head.weight || name === head.bias,

    // Pictures are in -1..1.
    files: {
      "vit/preprocessor_config.json": `${JSON.stringify({ size: side, crop_size: side, image_mean: [0.5, 0.5, 0.5], image_std: [0.5, 0.5, 0.5] })}\n`,
    },

    /**
     * A contrastive loss of each picture against all others, with those of the same individual as positives (`self` is 1 on the
     * diagonal), plus the trait loss.
     */
    loss(values) {
      const module = moduleOf(openWeights(values), { open: new Set(values.keys()) });
      const picture = input("picture", [symbol("batch"), 3, side, side]);
      const features = recordViT(module, vitConfig(config), picture).features!;
      const rows = unitRows(features);
      const pairs = [symbol("batch"), symbol("batch")];
      const logits = subtract(multiply(similarities(rows, rows), sharpness), multiply(input("self", pairs), 60));
      const named = add(matmul(features, module.value(head.weight)), module.value(head.bias));
      return add(crossEntropy(logits, input("targets", pairs)), traitLoss(named));
    },

    feeds(draw) {
      const samples = viewsOf(draw, kinds);
      const read = samples.map(({ individual }) => traits.read(individual));
      const there = read.reduce((total, { present }) => total + present.reduce((a, b) => a + b), 0);
      const targets = new Float32Array(batch * batch);
      const self = new Float32Array(batch * batch);
      for (let i = 0; i < batch; i++) {
        self[i * batch + i] = 1;
        const first = i - (i % views);
        for (let j = first; j < first + views; j++) if (j !== i) targets[i * batch + j] = 1 / (views - 1);
      }
      return {
        picture: float32([batch, 3, side, side], planesOfSamples(samples)),
        self: float32([batch, batch], self),
        targets: float32([batch, batch], targets),
        traits: float32(
          [batch, traits.width],
          read.flatMap(({ values }) => [...values]),
        ),
        shares: float32(
          [batch, traits.width],
          read.flatMap(({ present }) => [...present].map((value) => value / there)),
        ),
      };
    },
  };
}

/** The mean squared error over present traits. */
function traitLoss(named: Value): Value {
  const shape = [symbol("batch"), traits.width];
  const off = square(subtract(named, input("traits", shape)));
  return multiply(sum(multiply(off, input("shares", shape))), traitWeight);
}

/**
 * Individuals of some kinds, each in some scenes. In every second draw those of a kind share a colour, because colours are
 * learned first and would distinguish most of them.
 */
function viewsOf(draw: number, kinds: number): WorldSample[] {
  const random = randomStream(3, "views", draw);
  const samples: WorldSample[] = [];
  for (let kind = 0; kind < kinds; kind++) {
    const noun = nouns[random.integer(nouns.length)]!;
    const names = [...themesOf(subjectOf(noun)).keys()];
    const colour = draw % 2 === 0 ? undefined : colourOf(individualOf(noun, random.integer(heldOutFrom)));
    for (let found = 0; found < individuals; ) {
      const seed = random.integer(heldOutFrom);
      const individual = individualOf(noun, seed);
      if (colour !== undefined && colourOf(individual) !== colour) continue;
      found++;
      for (let view = 0; view < views; view++) {
        samples.push({ individual, theme: names[random.integer(names.length)], caption: "", seed: seed + view });
      }
    }
  }
  return samples;
}

/** The coat's colour, or the main colour. */
function colourOf({ traits }: Individual): string {
  const { coat, main } = traits as { readonly coat?: Colour; readonly main?: Colour };
  return css((coat ?? main)!);
}
