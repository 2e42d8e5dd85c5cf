/** The public library, the same in Node and in a browser. Importing it loads no native module and touches no disk. */
export { metadataAlphas } from "./adapters/lora.ts";
export { jsonObject, readJson } from "./bytes/json-file.ts";
export { readFloat32, readSafetensors, type Safetensors } from "./bytes/safetensors.ts";
export type { ByteSource } from "./bytes/source.ts";
export { type ErrorCode, errorGroups, errorRows, TillerError, withoutFolders } from "./errors/index.ts";
export { embeddedModel } from "./families/embedded.ts";
export type { Defaults } from "./families/family.ts";
export { nameForeign, nameOtherTask } from "./families/stable-diffusion/ldm-refusals.ts";
export {
  comparable,
  doubtOf,
  type GivenSettings,
  type GuidanceName,
  guidanceMethods,
  guidanceNames,
  type Method as GuidanceMethod,
  methodOf,
  namingSettings,
  type Setting as GuidanceSetting,
  type SettingName,
  type SettingValues,
  settingNames,
  settingOf,
  settingsNamed,
  settingsOf,
  toldOf,
} from "./guidance/index.ts";
export type { Pixels } from "./images/pixels.ts";
export {
  type Evaluation,
  type EvaluationRequest,
  evaluateFolder,
  type Metric,
  metricLabels,
  metricNames,
  metrics,
  protocols,
  type Scores,
  type ScoringOptions,
  startScoring,
} from "./metrics/index.ts";
export { clockText, type Pace, paceOf, paceText } from "./pace.ts";
export { defaultsOf } from "./pipelines/defaults.ts";
export type { AdapterSpec, LoadOptions } from "./pipelines/load.ts";
export { type GenerateEvent, type GenerateOptions, Pipeline } from "./pipelines/pipeline.ts";
export { shortName } from "./recipe/parameters.ts";
export { encodePng } from "./recipe/png.ts";
export { readPicture, readRecipe } from "./recipe/read-recipe.ts";
export type { Recipe, RecipeAdapter } from "./recipe/recipe.ts";
export {
  completed,
  type FullRequest,
  type GivenRequest,
  type Request,
  requestSchema,
  type SamplerName,
  samplerNames,
  settingFields,
  type UsualSettings,
} from "./recipe/request.ts";
export { type DeviceName, deviceNames, probeDevice } from "./runtime/devices.ts";
export type { OperatorTime } from "./runtime/engine.ts";
export { runtimeVersion } from "./runtime/index.ts";
export type { Device } from "./runtime/targets.ts";
export { karrasSamplerNames, type SamplerKind, samplerKinds } from "./samplers/index.ts";
export { type TrainingMethodName, trainingMethodNames, trainingMethods } from "./training/methods/index.ts";
export { type LearningRateSchedule, learningRateSchedules } from "./training/optimise/learning-rate.ts";
export { readLossLog } from "./training/run/loss-log.ts";
export { type TrainingRequest, trainingSchema } from "./training/run/options.ts";
export { photographsModel, refusePhotographs } from "./training/run/photographs.ts";
export { runFolderOf } from "./training/run/run-folder.ts";
export { type TrainingEvent, type TrainOptions, train } from "./training/run/train.ts";
export { version } from "./version.ts";
export { type Checkpoint, openCheckpoint } from "./weights/checkpoint.ts";
export { wrongSetting } from "./wrong-setting.ts";
