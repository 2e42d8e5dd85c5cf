/** Everything needed to make a picture again: stored in it, and repeated by `--from`. */
import { z } from "zod";
import { adapterStrengthSchema } from "./adapter-strength.ts";
import { recordedRequestSchema } from "./request.ts";

/** An adapter used for a picture. */
export const recipeAdapterSchema = z.object({
  /** The path or hub id it was loaded from. */
  file: z.string().min(1),
  /** Its display name: usually the file's name without its extension. */
  name: z.string(),
  /** Its strength, or its strengths by component. */
  strength: adapterStrengthSchema,
  /** SHA-256 of the file in hexadecimal, to detect a changed file. */
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
});

/**
 * The schema of a recipe. Unknown keys are ignored, so that pictures from a newer Tiller still open; the request itself is
 * strict.
 */
export const recipeSchema = z.object({
  /** The version of Tiller that made the picture. */
  tiller: z.string(),
  /** Folder, single file or hub id, as the user gave it. */
  model: z.string().min(1),
  /** The pre-trained model of a full fine-tune. */
  base: z.string().min(1).optional(),
  /** Variant of the weights, such as `fp16`. */
  variant: z.string().min(1).optional(),
  /** Where a single-file model's tokenizer and configs came from. */
  config: z.string().min(1).optional(),
  /** What the network predicts, if the user said so. */
  prediction: z.enum(["epsilon", "v_prediction"]).optional(),
  /** The adapters used. */
  adapters: z.array(recipeAdapterSchema).default([]),
  /** Device and precision. Absent in older pictures, which were made in float32 by ONNX Runtime. */
  computed: z.object({ device: z.string(), precision: z.enum(["float32", "bfloat16", "float16", "int8"]) }).optional(),
  /** `averaged` if keys and values of self-attention were averaged at the largest resolution; absent if not. */
  attention: z.literal("averaged").optional(),
  /** True if the picture was decoded in tiles; absent if not. */
  tiled: z.literal(true).optional(),
  /** The request for this picture alone: its own seed, and a count of 1. */
  request: recordedRequestSchema,
});

/** An adapter used for a picture. */
export interface RecipeAdapter extends z.output<typeof recipeAdapterSchema> {}
/** Everything needed to make a picture again. */
export interface Recipe extends z.output<typeof recipeSchema> {}
