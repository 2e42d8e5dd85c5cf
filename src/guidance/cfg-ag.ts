/**
 * Classifier-free guidance with autoguidance by the pre-trained model, what the paper's tables call AG:
 * e(1, c) + (s - 1)(e(1, c) - e(1, null)) + (a - 1)(e(1, c) - e(0, c)).
 *
 * a = 1 is CFG, s = 1 is AG alone. The paper gives its cost, three evaluations, but not its algebra; this is the additive
 * form with that cost.
 */
import { constantMix, type Guidance, type GuidanceSettings, strong } from "./guidance.ts";

export const cfgAg = ({ scale: s, agScale: a }: GuidanceSettings): Guidance =>
  constantMix([strong("cond"), strong("null"), { text: "cond", strength: 0 }], [s + a - 1, 1 - s, 1 - a]);
