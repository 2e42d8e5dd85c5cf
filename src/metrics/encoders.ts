/** The encoders that metrics compare pictures and texts with: any CLIP folder, any ViT folder. */
import { join } from "node:path";
import { jsonObject, readJson } from "../files/json-file.ts";
import { clipText, clipTextConfig } from "../models/clip-text.ts";
import { clipTextFeatures, clipVision, clipVisionConfig } from "../models/clip-vision.ts";
import { moduleOf } from "../models/module.ts";
import { vit, vitConfig } from "../models/vit.ts";
import type { Pixels } from "../pictures/resample.ts";
import { type Engine, float32, int32, type Tensor } from "../runtime/index.ts";
import { encodePrompt } from "../text/prompts.ts";
import { loadTokenizer } from "../text/tokenizer.ts";
import { openCheckpoint } from "../weights/checkpoint.ts";
import { clipPreprocessing, dinoPreprocessing, preprocess, preprocessingOf } from "./preprocess.ts";

/** Features of length 1. */
export type Features = Float32Array;

export interface PictureEncoder {
  pictures(pictures: readonly Pixels[]): Promise<Features[]>;
}

export interface ClipEncoder extends PictureEncoder {
  texts(texts: readonly string[]): Promise<Features[]>;
}

/**
 * Opens a CLIP folder (Transformers' CLIPModel).
 *
 * @param tokenizerFolder Where its tokenizer is, if not in the folder itself.
 */
export async function openClip(engine: Engine, folder: string, tokenizerFolder = folder): Promise<ClipEncoder> {
  const config = await readJson(join(folder, "config.json"), jsonObject);
  const textConfig = clipTextConfig(config.text_config as Record<string, unknown>);
  const visionConfig = clipVisionConfig(config.vision_config as Record<string, unknown>);
  const weights = await openCheckpoint(folder);
  const module = moduleOf(weights);
  const preprocessing = await preprocessingOf(folder, clipPreprocessing(visionConfig.image_size));
  const tokenizer = await loadTokenizer(tokenizerFolder);
  const vision = await engine.compile("CLIP's vision", clipVision(module, visionConfig));
  const recorded = clipText(module, textConfig).text!;
  const text = await engine.compile("CLIP's text", { features: clipTextFeatures(module, recorded) });
  const { max_position_embeddings: positions, vocab_size: vocabulary, hidden_size: width } = textConfig;
  return {
    async pictures(pictures) {
      const { features } = await vision.run({ picture: preprocess(pictures, preprocessing) });
      return unitRows(features!);
    },
    async texts(texts) {
      const rows = texts.map((t) => encodePrompt(tokenizer, t, { length: positions, firstLearned: vocabulary }).ids);
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

/** Opens a ViT folder in DINO's form (Transformers' ViTModel). */
export async function openViT(engine: Engine, folder: string): Promise<PictureEncoder> {
  const config = vitConfig(await readJson(join(folder, "config.json"), jsonObject));
  const session = await engine.compile("ViT", vit(moduleOf(await openCheckpoint(folder)), config));
  const preprocessing = await preprocessingOf(folder, dinoPreprocessing(config.image_size));
  return {
    async pictures(pictures) {
      const { features } = await session.run({ picture: preprocess(pictures, preprocessing) });
      return unitRows(features!);
    },
  };
}

/** Both features' cosine. */
export const cosine = (a: Features, b: Features): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0);

function unitRows({ shape, data }: Tensor): Features[] {
  const [rows, width] = shape as [number, number];
  return Array.from({ length: rows }, (_, i) => {
    const row = (data as Float32Array).slice(i * width, (i + 1) * width);
    const length = Math.sqrt(cosine(row, row));
    return row.map((v) => v / length);
  });
}
