/** Stage 2: a small CLIP, whose text tower becomes the text encoder, and which later evaluates pictures. */
import { add, clamp, exp, input, multiply, symbol, transpose, type Value } from "../src/graph/index.ts";
import { clipText, clipTextConfig } from "../src/models/clip-text.ts";
import { clipTextFeatures, clipVision, clipVisionConfig } from "../src/models/clip-vision.ts";
import { type Module, moduleOf } from "../src/models/module.ts";
import { randomStream } from "../src/random/streams.ts";
import { float32, int32 } from "../src/runtime/index.ts";
import { captionOf } from "../src/world/captions.ts";
import { side } from "../src/world/render.ts";
import { liveThemes, thingThemes } from "../src/world/world.ts";
import { blankClip } from "./blank-transformers.ts";
import { crossEntropy, similarities, unitRows } from "./contrastive.ts";
import { planesOfSamples, type WorldSample, worldSample } from "./sampling.ts";
import { type Feeds, openWeights, type Stage } from "./stage.ts";
import { tokenizerFiles, worldTokens } from "./tokens.ts";

const tower = { num_hidden_layers: 4, num_attention_heads: 4, hidden_act: "quick_gelu", layer_norm_eps: 1e-5 };
const width = 160;
const batch = 48;

const { vocabulary, begin, end, encode, positions } = worldTokens();
export const textConfig = {
  ...tower,
  model_type: "clip_text_model",
  hidden_size: width,
  intermediate_size: 4 * width,
  projection_dim: width,
  max_position_embeddings: positions,
  vocab_size: Object.keys(vocabulary.ids).length,
  bos_token_id: begin,
  eos_token_id: end,
  pad_token_id: end,
};
export const visionConfig = {
  ...tower,
  model_type: "clip_vision_model",
  hidden_size: width,
  intermediate_size: 4 * width,
  projection_dim: width,
  image_size: side,
  patch_size: 16,
};
export const config = {
  architectures: ["CLIPModel"],
  model_type: "clip",
  projection_dim: width,
  logit_scale_init_value: 2.6592,
  text_config: textConfig,
  vision_config: visionConfig,
};

export const clip: Stage = {
  folder: "clip",
  file: "model.safetensors",
  config,
  settings: {
    steps: 2400,
    accumulate: 1,
    learningRate: 5e-4,
    schedule: "cosine",
    warmup: 200,
    weightDecay: 5e-2,
    clip: 1,
  },
  start: () =>
    blankClip({ text: clipTextConfig(textConfig), vision: clipVisionConfig(visionConfig), projection: width }, 2),

  // The text tower is the text encoder of the pipeline.
  parts: (values) => ({
    text_encoder: {
      config: { architectures: ["CLIPTextModel"], ...textConfig },
      tensors: new Map([...values].filter(([key]) => key.startsWith("text_model."))),
    },
  }),
  files: {
    ...tokenizerFiles(vocabulary),
    // Pictures are in -1..1.
    "clip/preprocessor_config.json": `${JSON.stringify({ size: side, crop_size: side, image_mean: [0.5, 0.5, 0.5], image_std: [0.5, 0.5, 0.5] })}\n`,
  },

  /** Texts against pictures and pictures against texts; samples of one kind under one theme are positives. */
  loss(values) {
    const module = moduleOf(openWeights(values), { open: new Set(values.keys()) });
    return contrast(module, clipText(module, clipTextConfig(textConfig)).text!, visionConfig);
  },

  feeds: (draw) => clipFeeds(samplesOf(draw, { loose: 2, groups: 4 })),
};

/** The contrastive loss of encoded texts [batch, positions, width] and the pictures of their batch. */
export function contrast(module: Module, text: Value, vision: typeof visionConfig): Value {
  const picture = input("picture", [symbol("batch"), 3, side, side]);
  const pictures = unitRows(clipVision(module, clipVisionConfig(vision), picture).features!);
  const texts = unitRows(clipTextFeatures(module, text));
  // Beyond this, the exponentials would overflow float32.
  const scale = exp(clamp(module.value("logit_scale"), 0, 4));
  const logits = multiply(similarities(texts, pictures), scale); // [texts, pictures]
  const targets = input("targets", [symbol("batch"), symbol("batch")]);
  return multiply(add(crossEntropy(logits, targets), crossEntropy(transpose(logits, [1, 0]), targets)), 0.5);
}

/** The samples' pictures, their first `count` tokens, and which pairs are positives. */
export function clipFeeds(samples: readonly WorldSample[], count = positions): Feeds {
  const rows = samples.map(({ caption }) => encode(caption).slice(0, count));
  const together = samples.map((a) =>
    samples.map((b) => Number(a.individual.noun === b.individual.noun && a.theme === b.theme)),
  );
  const targets = together.flatMap((row) => {
    const count = row.reduce((a, b) => a + b, 0);
    return row.map((one) => one / count);
  });
  const ends = new Float32Array(batch * count);
  for (const [i, ids] of rows.entries()) ends[i * count + ids.indexOf(end)] = 1;
  return {
    picture: float32([batch, 3, side, side], planesOfSamples(samples)),
    ids: int32([batch, count], rows.flat()),
    end: float32([batch, count, 1], ends),
    targets: float32([batch, batch], targets),
    learned: float32([1, width], new Float32Array(width)),
  };
}

/** Themes that suit every kind. */
const shared = [...liveThemes.keys()].filter((name) => thingThemes.has(name));

/**
 * One in `loose` samples is drawn freely, the others come in groups of one theme each: among many themes the kind would hardly
 * matter.
 */
export function samplesOf(
  draw: number,
  { loose, groups }: { readonly loose: number; readonly groups: number },
): WorldSample[] {
  const random = randomStream(2, "themes", draw);
  const themes = Array.from({ length: groups }, () => shared[random.integer(shared.length)]!);
  return Array.from({ length: batch }, (_, i) => {
    const sample = worldSample(1e8 + draw * batch + i, "training");
    if (i % loose === 0) return sample;
    const theme = themes[Math.floor(i / loose) % groups]!;
    return { ...sample, theme, caption: captionOf(sample.individual.noun, liveThemes.get(theme), sample.seed) };
  });
}
