/** What the command line and the server take from the library's rooms and its users do not need: no part of the public API. */

// Files of this machine.
export { jsonObject, readJson } from "./bytes/json-file.ts";
export { exists, hold, makeFolder, placeOf } from "./bytes/node/index.ts";
export { refusal } from "./bytes/node/refusal.ts";
export { writeNew } from "./bytes/node/write-new.ts";
export { writeWhole } from "./bytes/write-whole.ts";

// What a model gives a request that leaves it open.
export { usualDefaults } from "./families/stable-diffusion/defaults.ts";
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
} from "./guidance/index.ts";
// Names on the hub.
export { parseHubName } from "./hub/id.ts";
// Words for people.
export { metricLabels } from "./metrics/index.ts";
export { parseAdapter } from "./pipelines/adapter-spec.ts";
export { shortName } from "./recipe/parameters.ts";
export { completed, settingFields } from "./recipe/request.ts";
export { karrasSamplerNames } from "./samplers/index.ts";
// The folder of a training run.
export { readLossLog } from "./training/run/loss-log.ts";
export { runFolderOf } from "./training/run/run-folder.ts";
export { wrongSetting } from "./wrong-setting.ts";
