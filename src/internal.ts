/** Exports for the command line and the server only: not part of the public API. */

// Kinds of pictures, and warnings about them.
export { encodePixels } from "#images";
// Files of this machine.
export { jsonObject, readJson, readText } from "./bytes/json-file.ts";
export { isTemporary } from "./bytes/node/atomic-file.ts";
export { exists, hold, makeFolder, placeOf } from "./bytes/node/index.ts";
export { refusal } from "./bytes/node/refusal.ts";
export { writeNew } from "./bytes/node/write-new.ts";
export { writeWhole } from "./bytes/write-whole.ts";
// Settings of guidance methods, for options, schemas, names and warnings.
export {
  comparable,
  doubtOf,
  everyThird,
  type GivenSettings,
  methodOf,
  namingSettings,
  type SettingName,
  type SettingValues,
  settingNames,
  settingOf,
  settingsNamed,
  settingsOf,
  toldOf,
  unmetSetting,
} from "./guidance/index.ts";
export { isOmega, omegaForms } from "./guidance/omega.ts";
// Names on the hub.
export { parseHubName } from "./hub/id.ts";
export { decodeBmp } from "./images/bmp.ts";
export { firstFrames } from "./images/folder.ts";
export { hasMoreFrames, isBmp, refuseOtherKinds } from "./images/kinds.ts";
// Texts for people.
export { chosenEncoders, encodersOf, metricLabels, withoutToken } from "./metrics/index.ts";
// Progress.
export { clockText, paceOf, paceText } from "./pace.ts";
export { parseAdapter } from "./pipelines/adapter-spec.ts";
// Defaults of requests.
export { defaultsOf } from "./pipelines/defaults.ts";
// Plans of memory.
export { memoryText } from "./pipelines/memory-text.ts";
export { strengthText } from "./recipe/adapter-strength.ts";
export { shortName } from "./recipe/parameters.ts";
export {
  completed,
  type GivenRequest,
  refuseInexactSeeds,
  refuseWithoutPicture,
  settingFields,
  sizeConditions,
  stepsOf,
  type UsualSettings,
} from "./recipe/request.ts";
export { precisionsOn } from "./runtime/compute.ts";
// The machine's memory.
export { totalMemory } from "./runtime/node/memory.ts";
export { karrasSamplerNames } from "./samplers/index.ts";
// The folder of a training run.
export { readLossLog } from "./training/run/loss-log.ts";
export { photographsModel, refusePhotographs } from "./training/run/photographs.ts";
export { runFolderOf } from "./training/run/run-folder.ts";
export { trainingPlanText } from "./training/run/training-plan.ts";
export { wrongSetting } from "./wrong-setting.ts";
