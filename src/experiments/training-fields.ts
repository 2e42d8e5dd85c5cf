/** The training settings that an experiment may vary; the others are the method's. */
import { trainingRequestSchema } from "../training/run/options.ts";

const { shape } = trainingRequestSchema;

/** Those that say what is trained and how; not where from and where to, which the experiment decides. */
export const trainingFields = {
  steps: shape.steps,
  rank: shape.rank.unwrap().optional(),
  learningRate: shape.learningRate,
  textLearningRate: shape.textLearningRate,
  textUntil: shape.textUntil,
  retract: shape.retract,
  batch: shape.batch,
  prior: shape.prior,
  priorCount: shape.priorCount.unwrap().optional(),
  seed: shape.seed.unwrap().optional(),
  accumulate: shape.accumulate.unwrap().optional(),
  schedule: shape.schedule.unwrap().optional(),
  warmup: shape.warmup.unwrap().optional(),
  weightDecay: shape.weightDecay,
  clip: shape.clip.unwrap().optional(),
  snrGamma: shape.snrGamma,
  resolution: shape.resolution,
  alpha: shape.alpha,
  textEncoder: shape.textEncoder.unwrap().optional(),
  vectors: shape.vectors,
  initializer: shape.initializer,
  prompt: shape.prompt,
  classPrompt: shape.classPrompt.unwrap().optional(),
  priorWeight: shape.priorWeight.unwrap().optional(),
  semanticWeight: shape.semanticWeight.unwrap().optional(),
  pooling: shape.pooling,
  augmentation: shape.augmentation,
  flip: shape.flip,
  captionDropout: shape.captionDropout,
};
