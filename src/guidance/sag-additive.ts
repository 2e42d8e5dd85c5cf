/** Subject-agnostic guidance in an additive form, at every step: e(1, null) + s (e(1, c) - e(1, null)) + g (e(1, c0) - e(1, c)), g = 1. */
import { constantMix, type Guidance, type GuidanceSettings, strong } from "./guidance.ts";

const g = 1;

export const sagAdditive = ({ scale: s }: GuidanceSettings): Guidance =>
  constantMix([strong("cond"), strong("null"), strong("agnostic")], [s - g, 1 - s, g]);
