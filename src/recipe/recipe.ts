/** All that is needed to make a picture again: stored inside it, and what `--from` repeats. */
import { z } from "zod";
import { fullRequestSchema } from "./request.ts";

/** An adapter as it took part in a picture. */
export const recipeAdapterSchema = z.object({
  /** The path or hub id it was loaded from. */
  file: z.string().min(1),
  /** What a person calls it: usually the file's name without its extension. */
  name: z.string(),
  /** How strongly it counted. */
  strength: z.number().finite(),
  /** Of the file's bytes, in hexadecimal: tells a changed file from the same one. */
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
});

/**
 * What a recipe looks like. Unknown keys are passed over, so that pictures of a newer Tiller still open; the request itself is
 * strict.
 */
export const recipeSchema = z.object({
  /** The version of Tiller that made the picture. */
  tiller: z.string(),
  /** Folder, single file or hub id, as the person gave it. */
  model: z.string().min(1),
  /** The pre-trained model of a full fine-tune. */
  base: z.string().min(1).optional(),
  /** Which spelling of the weights was taken, such as `fp16`. */
  variant: z.string().min(1).optional(),
  /** Where a single-file model's tokenizer and configs came from. */
  config: z.string().min(1).optional(),
  /** What the network was taken to predict, where that was said. */
  prediction: z.enum(["epsilon", "v_prediction"]).optional(),
  /** The adapters that took part. */
  adapters: z.array(recipeAdapterSchema).default([]),
  /** What computed it. Pictures of before have none: they were made in float32 by ONNX Runtime. */
  computed: z.object({ device: z.string(), precision: z.enum(["float32", "bfloat16", "float16", "int8"]) }).optional(),
  /** For this one picture: its own seed, and a count of 1. */
  request: fullRequestSchema,
});

/** An adapter as it took part in a picture. */
export interface RecipeAdapter extends z.output<typeof recipeAdapterSchema> {}
/** All that is needed to make a picture again. */
export interface Recipe extends z.output<typeof recipeSchema> {}
