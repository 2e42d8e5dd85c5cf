/** The public library. The command line uses nothing else. */
export { metadataAlphas } from "./adapters/lora.ts";
export {
  type ArmResult,
  type Experiment,
  type ExperimentFile,
  embeddedConcept,
  experimentIn,
  gatherResults,
  parseExperiment,
  type Results,
  type RunOptions,
  type RunProgress,
  readExperiment,
  runExperiment,
  type Tuned,
  type TuneRequest,
  tableHeads,
  tableRows,
  tune,
  writeReport,
  writeSheet,
} from "./bench/index.ts";
export { TillerError, UsageError } from "./errors.ts";
export { jsonObject, readJson } from "./files/json-file.ts";
export { defaultScale } from "./guidance/methods.ts";
export {
  type Evaluation,
  type EvaluationRequest,
  evaluateFolder,
  protocols,
  type Scores,
  type ScoringOptions,
  startScoring,
} from "./metrics/index.ts";
export type { AdapterSpec, LoadOptions } from "./pipelines/load.ts";
export { type GenerateEvent, type GenerateOptions, Pipeline } from "./pipelines/pipeline.ts";
export type { Recipe, RecipeAdapter } from "./pipelines/recipe.ts";
export {
  type FullRequest,
  type GuidanceName,
  guidanceNames,
  type Request,
  requestSchema,
  type SamplerName,
  samplerNames,
} from "./pipelines/request.ts";
export { version } from "./pipelines/version.ts";
export { type Device, type DeviceName, deviceNames, probeDevice } from "./runtime/devices.ts";
export type { OperatorTime } from "./runtime/engine.ts";
export { runtimeVersion } from "./runtime/version.ts";
export { type LearningRateSchedule, learningRateSchedules } from "./training/learning-rate.ts";
export { type TrainingRequest, trainingSchema } from "./training/options.ts";
export { type RecipeName, recipeNames, recipes } from "./training/recipes/index.ts";
export { runFolderOf } from "./training/run-folder.ts";
export { type TrainingEvent, type TrainOptions, train } from "./training/train.ts";
export { type Checkpoint, openCheckpoint } from "./weights/checkpoint.ts";
export { embeddedModel } from "./weights/embedded.ts";
export { nameForeign, nameOtherTask } from "./weights/ldm-refusals.ts";
export { readFloat32, readSafetensors, type Safetensors } from "./weights/safetensors.ts";
