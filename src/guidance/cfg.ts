/** Classifier-free guidance (Ho and Salimans 2022): e(1, null) + s (e(1, c) - e(1, null)). */
import { constantMix, type Guidance, type GuidanceSettings, strong } from "./guidance.ts";

export const cfg = ({ scale: s }: GuidanceSettings): Guidance =>
  constantMix([strong("cond"), strong("null")], [s, 1 - s]);
