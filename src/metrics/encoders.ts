/** Opens the encoders that metrics compare pictures and texts with: any CLIP folder, any ViT folder. */
import { exists, join } from "#bytes";
import { jsonObject, readJson } from "../bytes/json-file.ts";
import { readWeight } from "../bytes/refuse-not-finite.ts";
import { TillerError } from "../errors/index.ts";
import { clipText, clipTextConfig } from "../models/clip-text.ts";
import { clipTextFeatures, clipVision, clipVisionConfig } from "../models/clip-vision.ts";
import { moduleOf } from "../models/module.ts";
import { vit, vitConfig } from "../models/vit.ts";
import { type Engine, float32, int32, type Tensor } from "../runtime/index.ts";
import { encodePrompt } from "../text/clip-prompt.ts";
import { loadTokenizer } from "../text/tokenizer.ts";
import { type Checkpoint, openCheckpoint } from "../weights/checkpoint.ts";
import type { Encoder } from "./encoder.ts";
import { type Features, unit } from "./features.ts";
import {
  clipPreprocessing,
  dinoPreprocessing,
  dreamMatcherClip,
  dreamMatcherDino,
  preprocess,
  preprocessingOf,
} from "./preprocess.ts";
import type { EvaluationProtocol } from "./protocol.ts";

/** An encoder of pictures and texts. */
export type ClipEncoder = Required<Encoder>;

/**
 * Opens a CLIP folder (Transformers' CLIPModel).
 *
 * @param tokenizerFolder Its tokenizer's folder: usually the same.
 */
export async function openClip(
  engine: Engine,
  folder: string,
  tokenizerFolder: string,
  protocol: EvaluationProtocol,
): Promise<ClipEncoder> {
  const config = await configOf(folder);
  return clipOf(engine, { folder, config, weights: await openCheckpoint(folder) }, tokenizerFolder, protocol);
}

/**
 * Opens a CLIP folder whose cosines are multiplied by the exponential of its `logit_scale`: texts' features have that length
 * instead of 1. Pictures are preprocessed as its preprocessor config says.
 *
 * @throws TillerError if its weights have no `logit_scale`.
 */
export async function openScaledClip(engine: Engine, folder: string, tokenizerFolder: string): Promise<ClipEncoder> {
  const config = await configOf(folder);
  const weights = await openCheckpoint(folder);
  const logit = weights.get("logit_scale");
  if (!logit)
    throw new TillerError("tensor-missing", `${folder} has no logit_scale, which scales its cosines: is it a CLIP?`, {
      paths: [folder],
    });
  const scale = Math.exp((await readWeight(logit))[0]!);
  const clip = await clipOf(engine, { folder, config, weights }, tokenizerFolder, "dreambooth");
  return {
    ...clip,
    texts: async (texts) => (await clip.texts(texts)).map((features) => features.map((value) => value * scale)),
  };
}

const configOf = (folder: string) => readJson(join(folder, "config.json"), jsonObject);

async function clipOf(
  engine: Engine,
  { folder, config, weights }: { folder: string; config: Record<string, unknown>; weights: Checkpoint },
  tokenizerFolder: string,
  protocol: EvaluationProtocol,
): Promise<ClipEncoder> {
  const textConfig = clipTextConfig(config.text_config as Record<string, unknown>);
  const visionConfig = clipVisionConfig(config.vision_config as Record<string, unknown>);
  const module = moduleOf(weights);
  const usual = await preprocessingOf(folder, clipPreprocessing(visionConfig.image_size));
  const preprocessing = protocol === "dreammatcher" ? dreamMatcherClip(usual) : usual;
  const tokenizer = await loadTokenizer(tokenizerFolder);
  const vision = await engine.compile("CLIP's vision", clipVision(module, visionConfig));
  const recorded = clipText(module, textConfig).text!;
  const text = await engine.compile("CLIP's text", { features: clipTextFeatures(module, recorded) });
  const { max_position_embeddings: positions, vocab_size: vocabulary, hidden_size: width } = textConfig;
  const encoded = (text: string) => encodePrompt(tokenizer, text, { length: positions, firstLearned: vocabulary });
  return {
    async pictures(pictures) {
      const { features } = await vision.run({ picture: preprocess(pictures, preprocessing) });
      return unitRows(features!);
    },
    dropped: (text) => encoded(text).dropped,
    async texts(texts) {
      const rows = texts.map((text) => encoded(text).ids);
      const end = new Float32Array(rows.length * positions);
      for (const [i, ids] of rows.entries()) end[i * positions + ids.indexOf(tokenizer.end)] = 1;
      const { features } = await text.run({
        ids: int32([rows.length, positions], rows.flat()),
        end: float32([rows.length, positions, 1], end),
        learned: float32([1, width], new Float32Array(width)),
      });
      return unitRows(features!);
    },
  };
}

/** Opens a ViT folder like DINO's (Transformers' ViTModel). */
export async function openViT(engine: Engine, folder: string, protocol: EvaluationProtocol): Promise<Encoder> {
  const config = vitConfig(await readJson(join(folder, "config.json"), jsonObject));
  const own = protocol === "dreambooth";
  const size = own ? config.image_size : largerSize(config);
  const weights = await openCheckpoint(folder);
  const recorded = vit(moduleOf(weights), { ...config, image_size: size });
  const session = await engine.compile("ViT", recorded);
  const preprocessing = own ? await preprocessingOf(folder, dinoPreprocessing(size)) : dreamMatcherDino(size);
  return {
    async pictures(pictures) {
      const { features } = await session.run({ picture: preprocess(pictures, preprocessing) });
      return unitRows(features!);
    },
  };
}

/** 256 for a ViT of 224, in whole patches. */
const largerSize = ({ image_size, patch_size }: { image_size: number; patch_size: number }): number =>
  Math.round((image_size * 256) / 224 / patch_size) * patch_size;

/** The rows of a matrix, each divided by its length. */
const unitRows = (matrix: Tensor): Features[] => rowsOf(matrix).map(unit);

/** The rows of a matrix. */
export function rowsOf({ shape, data }: Tensor): Features[] {
  const [rows, width] = shape as [number, number];
  return Array.from({ length: rows }, (_, i) => (data as Float32Array).slice(i * width, (i + 1) * width));
}

/** CLIP folders contain their tokenizer; the embedded CLIP uses the model's. */
export async function tokenizerOf(clip: string): Promise<string> {
  const own = (await exists(join(clip, "vocab.json"))) || (await exists(join(clip, "tokenizer.json")));
  return own ? clip : join(clip, "..", "tokenizer");
}
