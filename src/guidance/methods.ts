/** Every guidance method by the name users type. */
import { ag } from "./ag.ts";
import { autolora } from "./autolora.ts";
import { cfg } from "./cfg.ts";
import { cfgAg } from "./cfg-ag.ts";
import { cfgpp } from "./cfgpp.ts";
import type { Guidance, GuidanceSettings } from "./guidance.ts";
import { none } from "./none.ts";
import { pg } from "./pg.ts";
import { pgpp } from "./pgpp.ts";
import { sag } from "./sag.ts";
import { sagAdditive } from "./sag-additive.ts";

export const methods = {
  none,
  cfg,
  ag,
  "cfg+ag": cfgAg,
  autolora,
  sag,
  "sag-additive": sagAdditive,
  pg,
  "cfg++": cfgpp,
  "pg++": pgpp,
} satisfies Record<string, (settings: GuidanceSettings) => Guidance>;

export type GuidanceName = keyof typeof methods;

export const guidanceNames = Object.keys(methods) as [GuidanceName, ...GuidanceName[]];

/** The guidance scale when none is given: 7.5, and 0.4 for the ++ methods, whose scale is lambda in [0, 1]. */
export const defaultScale = (name: GuidanceName): number => (name.endsWith("++") ? 0.4 : 7.5);
