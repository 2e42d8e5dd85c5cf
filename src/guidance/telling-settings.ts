/** Which settings make a difference under a guidance method: the others say nothing about a picture. */
import type { GuidanceName } from "./methods.ts";

export type GuidanceSetting = "scale" | "omega" | "agScale";

const settings: Readonly<Record<GuidanceName, readonly GuidanceSetting[]>> = {
  none: [],
  cfg: ["scale"],
  ag: ["agScale"],
  "cfg+ag": ["scale", "agScale"],
  autolora: ["scale", "agScale"],
  sag: ["scale"],
  "sag-additive": ["scale"],
  pg: ["scale", "omega"],
  "cfg++": ["scale"],
  "pg++": ["scale", "omega"],
};

export const settingsOf = (guidance: GuidanceName): readonly GuidanceSetting[] => settings[guidance];
