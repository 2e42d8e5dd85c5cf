/**
 * Personalise text-to-image diffusion models and steer them: the same library in Node and in a browser. Importing it loads
 * no native module and touches no disk.
 *
 * @module tillerjs
 */

// Picture files, and the recipes inside them.
export { readPixels } from "#images";
// Models, and what files hold.
export { readTensors } from "./bytes/read-tensors.ts";
export { readFloat32, readSafetensors, type Safetensors } from "./bytes/safetensors.ts";
export type { ByteSource } from "./bytes/source.ts";
export type { DType, TensorRef } from "./bytes/tensor-ref.ts";
// Errors.
export {
  type ErrorCode,
  type ErrorDetails,
  type ErrorRow,
  errorRows,
  TillerError,
  withoutFolders,
} from "./errors/index.ts";
export { embeddedModel } from "./families/embedded.ts";
export type { ModelDefaults } from "./families/family.ts";
export type { OpenModelOptions } from "./families/open-model.ts";
// Available methods, samplers and devices.
export {
  type ChoiceSetting,
  type GivenSettings as GuidanceSettings,
  type GuidanceMethod,
  type GuidanceName,
  guidanceMethods,
  guidanceNames,
  type Need as GuidanceNeed,
  type NumberSetting,
  type Omega,
  type OmegaSetting,
  type Setting as GuidanceSetting,
} from "./guidance/index.ts";
// Drawing pictures.
export type { DownloadProgress } from "./hub/options.ts";
export type { Pixels } from "./images/pixels.ts";
export type {
  CustomDiffusionDetails,
  FileInspection,
  OtherTensors,
  SingleFileModelDetails,
  TensorFile,
  TextualInversionDetails,
} from "./inspection/file.ts";
export type { ComponentInspection, FolderInspection } from "./inspection/folder.ts";
export { type Inspection, inspect, type PictureInspection } from "./inspection/inspect.ts";
export type { LoraDetails, LoraGroup } from "./inspection/lora.ts";
export { type ModelComponent, type OpenedModel, openModel } from "./inspection/open-model.ts";
export type { PicturesInspection } from "./inspection/pictures.ts";
export type { Amount } from "./inspection/tensors.ts";

// Measuring pictures.
export {
  type ChosenEncoderName,
  type EncoderModels,
  type Evaluation,
  type EvaluationProtocol,
  type EvaluationRequest,
  evaluate,
  evaluationProtocols,
  type MeasuredPicture,
  type MeasuredPrompt,
  type MetricDescription,
  type MetricName,
  metricNames,
  metrics,
  openScorer,
  type Scorer,
  type ScorerOptions,
  type Scores,
  usualMetrics,
} from "./metrics/index.ts";
export type { AttentionForm } from "./models/unet.ts";
export type { Pace } from "./pace.ts";
export type { AdapterChoice, AdapterSpec } from "./pipelines/adapter-spec.ts";
export type { LoadOptions, LoadProgress } from "./pipelines/load.ts";
export type { MemoryForm, MemoryPhase, MemoryPlan, Tiling } from "./pipelines/memory-plan.ts";
export {
  type GenerateEvent,
  type GenerateOptions,
  type PictureEvent,
  Pipeline,
  type StepEvent,
  type WarningEvent,
} from "./pipelines/pipeline.ts";
export type { AdapterStrength } from "./recipe/adapter-strength.ts";
export { encodePng } from "./recipe/png.ts";
export { type PictureFile, readPicture, readRecipe } from "./recipe/read-recipe.ts";
export { type Recipe, type RecipeAdapter, recipeSchema } from "./recipe/recipe.ts";
export type { FullRequest, GivenPicture, RecordedPicture, RecordedRequest } from "./recipe/request.ts";
export { type PictureRequest, pictureRequestSchema } from "./recipe/request.ts";
export { type Compute, type PrecisionName, precisionNames } from "./runtime/compute.ts";
export { type DeviceName, type DeviceProbe, deviceNames, probeDevice } from "./runtime/devices.ts";
export type { OperatorTime } from "./runtime/engine.ts";
export { runtimeVersion } from "./runtime/index.ts";
export type { Device } from "./runtime/targets.ts";
export { type NoiseForm, type SamplerDescription, type SamplerName, samplerNames, samplers } from "./samplers/index.ts";
// Teaching a model a subject.
export { type TrainingMethodName, trainingMethodNames, trainingMethods } from "./training/methods/index.ts";
export type { Initializer, TrainingMethod } from "./training/methods/method.ts";
export { type LearningRateSchedule, learningRateSchedules } from "./training/optimise/learning-rate.ts";
export { type ModelMemory, modelMemory } from "./training/run/model-memory.ts";
export { type TrainingRequest, trainingRequestSchema } from "./training/run/options.ts";
export {
  type TrainingClassImages,
  type TrainingEvent,
  type TrainingMemory,
  type TrainingPreparation,
  type TrainingSample,
  type TrainingSaved,
  type TrainingStep,
  type TrainingWarning,
  type TrainOptions,
  train,
} from "./training/run/train.ts";
export type { TrainingPlan } from "./training/run/training-plan.ts";
export { version } from "./version.ts";
export type { Checkpoint } from "./weights/checkpoint.ts";
