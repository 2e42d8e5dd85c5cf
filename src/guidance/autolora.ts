/**
 * AutoLoRA (Kasymov et al. 2024): classifier-free guidance inside both models, E(a) = e(a, null) + s (e(a, c) - e(a, null)),
 * then E(0) + a (E(1) - E(0)). Four evaluations.
 */
import { constantMix, type Guidance, type GuidanceSettings, strong } from "./guidance.ts";

export const autolora = ({ scale: s, agScale: a }: GuidanceSettings): Guidance =>
  constantMix(
    [strong("cond"), strong("null"), { text: "cond", strength: 0 }, { text: "null", strength: 0 }],
    [a * s, a * (1 - s), (1 - a) * s, (1 - a) * (1 - s)],
  );
