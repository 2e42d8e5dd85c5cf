/** Stage 3: a ViT in DINO's form that tells individuals apart, whatever scene they are in. */
import { input, multiply, subtract, symbol } from "../../graph/index.ts";
import { moduleOf } from "../../models/module.ts";
import { vit as recordViT, vitConfig } from "../../models/vit.ts";
import { float32 } from "../../runtime/index.ts";
import { randomStream } from "../../training/random.ts";
import { side, subjectOf } from "../render.ts";
import { themesOf } from "../world.ts";
import { blankViT } from "./blank-transformers.ts";
import { crossEntropy, similarities, unitRows } from "./contrastive.ts";
import { planesOfSamples, type WorldSample, worldSample } from "./sampling.ts";
import { openWeights, type Stage } from "./stage.ts";

/** Individuals in a batch, all of one kind, for the kind alone must not tell; and pictures of each. */
const [individuals, views] = [16, 3];
const batch = individuals * views;
/** How much sharper than cosines the similarities are. */
const sharpness = 12;

const config = {
  architectures: ["ViTModel"],
  model_type: "vit",
  hidden_size: 160,
  intermediate_size: 640,
  num_hidden_layers: 4,
  num_attention_heads: 4,
  hidden_act: "gelu",
  layer_norm_eps: 1e-12,
  image_size: side,
  patch_size: 16,
  num_channels: 3,
  qkv_bias: true,
};

export const vit: Stage = {
  folder: "vit",
  file: "model.safetensors",
  config,
  settings: {
    steps: 10_000,
    accumulate: 1,
    learningRate: 5e-4,
    schedule: "constant",
    warmup: 200,
    weightDecay: 5e-2,
    clip: 1,
  },
  averaging: 0.999,
  start: () => blankViT(vitConfig(config), 3),

  // Pictures arrive as -1 to 1.
  files: {
    "vit/preprocessor_config.json": `${JSON.stringify({ size: side, crop_size: side, image_mean: [0.5, 0.5, 0.5], image_std: [0.5, 0.5, 0.5] })}\n`,
  },

  /** Each picture against all others: those of the same individual belong together. `self` is 1 on the diagonal. */
  loss(values) {
    const module = moduleOf(openWeights(values), { open: new Set(values.keys()) });
    const picture = input("picture", [symbol("batch"), 3, side, side]);
    const rows = unitRows(recordViT(module, vitConfig(config), picture).features!);
    const square = [symbol("batch"), symbol("batch")];
    const logits = subtract(multiply(similarities(rows, rows), sharpness), multiply(input("self", square), 60));
    return crossEntropy(logits, input("targets", square));
  },

  feeds(draw) {
    const samples = viewsOf(draw);
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
    };
  },
};

function viewsOf(draw: number): WorldSample[] {
  const random = randomStream(3, "views", draw);
  const kind = worldSample(2e8 + draw * individuals, "training").individual.noun;
  const samples: WorldSample[] = [];
  for (let number = 2e8 + draw * individuals * 64; samples.length < batch; number++) {
    const { individual, seed } = worldSample(number, "training");
    if (individual.noun !== kind) continue;
    const names = [...themesOf(subjectOf(individual.noun)).keys()];
    for (let view = 0; view < views; view++) {
      samples.push({ individual, theme: names[random.integer(names.length)], caption: "", seed: seed + view });
    }
  }
  return samples;
}
