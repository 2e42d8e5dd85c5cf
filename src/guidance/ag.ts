/** Autoguidance by the pre-trained model alone (Steering Guidance, equation 6): e(0, c) + a (e(1, c) - e(0, c)). */
import { constantMix, type Guidance, type GuidanceSettings, strong } from "./guidance.ts";

export const ag = ({ agScale: a }: GuidanceSettings): Guidance =>
  constantMix([strong("cond"), { text: "cond", strength: 0 }], [a, 1 - a]);
