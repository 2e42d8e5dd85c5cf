/** The encoders that metrics compare pictures and texts with: any CLIP folder, any ViT folder. */
import { join } from "#bytes";
import { jsonObject, readJson } from "../bytes/json-file.ts";
import type { Pixels } from "../images/pixels.ts";
import { clipText, clipTextConfig } from "../models/clip-text.ts";
import { clipTextFeatures, clipVision, clipVisionConfig } from "../models/clip-vision.ts";
import { moduleOf } from "../models/module.ts";
import { vit, vitConfig } from "../models/vit.ts";
import { type Engine, float32, int32, type Tensor } from "../runtime/index.ts";
import { encodePrompt } from "../text/clip-prompt.ts";
import { loadTokenizer } from "../text/tokenizer.ts";
import { openCheckpoint } from "../weights/checkpoint.ts";
import { refuseNotFinite } from "../weights/refuse-not-finite.ts";
import { cosine, type Features } from "./features.ts";
import {
  clipPreprocessing,
  dinoPreprocessing,
  dreamMatcherClip,
  dreamMatcherDino,
  preprocess,
  preprocessingOf,
} from "./preprocess.ts";

/** How pictures are preprocessed: as in DreamBooth's evaluation, or in DreamMatcher's. */
export const evaluationProtocols = ["dreambooth", "dreammatcher"] as const;
/**
 * One of the {@link evaluationProtocols}.
 *
 * @useDeclaredType
 */
export type EvaluationProtocol = (typeof evaluationProtocols)[number];

export interface PictureEncoder {
  pictures(pictures: readonly Pixels[]): Promise<Features[]>;
}

export interface ClipEncoder extends PictureEncoder {
  /** Texts that are too long are truncated. */
  texts(texts: readonly string[]): Promise<Features[]>;
  /** The words truncated from a text's end; "" if none. */
  dropped(text: string): string;
}

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
  const config = await readJson(join(folder, "config.json"), jsonObject);
  const textConfig = clipTextConfig(config.text_config as Record<string, unknown>);
  const visionConfig = clipVisionConfig(config.vision_config as Record<string, unknown>);
  const weights = await openCheckpoint(folder);
  await refuseNotFinite([{ weights }]);
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
export async function openViT(engine: Engine, folder: string, protocol: EvaluationProtocol): Promise<PictureEncoder> {
  const config = vitConfig(await readJson(join(folder, "config.json"), jsonObject));
  const own = protocol === "dreambooth";
  const size = own ? config.image_size : largerSize(config);
  const weights = await openCheckpoint(folder);
  await refuseNotFinite([{ weights }]);
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

function unitRows({ shape, data }: Tensor): Features[] {
  const [rows, width] = shape as [number, number];
  return Array.from({ length: rows }, (_, i) => {
    const row = (data as Float32Array).slice(i * width, (i + 1) * width);
    const length = Math.sqrt(cosine(row, row));
    return row.map((v) => v / length);
  });
}
