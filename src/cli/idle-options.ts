/** Options that the guidance method chosen takes no notice of. */

import { settingsOf } from "../guidance/telling-settings.ts";
import type { GuidanceName } from "../index.ts";
import type { Output } from "./output.ts";

const options = [
  ["scale", "--scale", "another method"],
  ["omega", "--omega", "pg or pg++"],
  ["agScale", "--ag-scale", "ag, cfg+ag or autolora"],
] as const;

/** Warns of each such option that was given, since the person who gave it expects to see a difference. */
export function warnOfIdle(
  given: { readonly scale?: unknown; readonly omega?: unknown; readonly agScale?: unknown },
  guidance: readonly GuidanceName[],
  output: Output,
): void {
  for (const [setting, option, others] of options) {
    if (given[setting] !== undefined && !guidance.some((name) => settingsOf(name).includes(setting))) {
      output.warn(`${option} changes nothing with --guidance ${guidance.join(",")}; it works with ${others}`);
    }
  }
}
