/** The public library. The command line uses nothing else. */

export { runtimeVersion } from "#runtime";
export { metadataAlphas } from "./adapters/lora.ts";
export { jsonObject, readJson } from "./bytes/json-file.ts";
export { readFloat32, readSafetensors, type Safetensors } from "./bytes/safetensors.ts";
export { TillerError, UsageError } from "./errors.ts";
export {
  type ArmResult,
  type Experiment,
  type ExperimentFile,
  embeddedConcept,
  experimentIn,
  gatherResults,
  pairHeads,
  pairRows,
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
} from "./experiments/index.ts";
export { embeddedModel } from "./families/embedded.ts";
export { nameForeign, nameOtherTask } from "./families/stable-diffusion/ldm-refusals.ts";
export {
  type GuidanceName,
  guidanceMethods,
  guidanceNames,
  type Method as GuidanceMethod,
  type Setting as GuidanceSetting,
} from "./guidance/index.ts";
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
export type { Recipe, RecipeAdapter } from "./recipe/recipe.ts";
export {
  type FullRequest,
  type Request,
  requestSchema,
  type SamplerName,
  samplerNames,
  settingFields,
} from "./recipe/request.ts";
export { type DeviceName, deviceNames, probeDevice } from "./runtime/devices.ts";
export type { OperatorTime } from "./runtime/engine.ts";
export type { Device } from "./runtime/targets.ts";
export { type TrainingMethodName, trainingMethodNames, trainingMethods } from "./training/methods/index.ts";
export { type LearningRateSchedule, learningRateSchedules } from "./training/optimise/learning-rate.ts";
export { type TrainingRequest, trainingSchema } from "./training/run/options.ts";
export { runFolderOf } from "./training/run/run-folder.ts";
export { type TrainingEvent, type TrainOptions, train } from "./training/run/train.ts";
export { version } from "./version.ts";
export { type Checkpoint, openCheckpoint } from "./weights/checkpoint.ts";
