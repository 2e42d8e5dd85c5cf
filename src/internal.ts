/** What the command line and the server take from the library's rooms and its users do not need: no part of the public API. */

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
  unmetEvaluations,
} from "./guidance/index.ts";
// Names on the hub.
export { parseHubName } from "./hub/id.ts";
// Words for people.
export { metricLabels, withoutToken } from "./metrics/index.ts";
// How far long work is.
export { clockText, paceOf, paceText } from "./pace.ts";
export { parseAdapter } from "./pipelines/adapter-spec.ts";
// What a model gives a request that leaves it open.
export { defaultsOf } from "./pipelines/defaults.ts";
export { shortName } from "./recipe/parameters.ts";
export {
  completed,
  type GivenRequest,
  refuseInexactSeeds,
  settingFields,
  type UsualSettings,
} from "./recipe/request.ts";
// The machine's memory.
export { totalMemory } from "./runtime/node/memory.ts";
export { karrasSamplerNames } from "./samplers/index.ts";
// The folder of a training run.
export { readLossLog } from "./training/run/loss-log.ts";
export { photographsModel, refusePhotographs } from "./training/run/photographs.ts";
export { runFolderOf } from "./training/run/run-folder.ts";
export { wrongSetting } from "./wrong-setting.ts";
