/**
 * Personalization guidance (Steering Guidance, equation 9): e(w, null) + s (e(1, c) - e(w, null)).
 *
 * The weak model is the fine-tuned one pulled back towards the pre-trained one, and it sees no prompt. w = 1 is CFG
 * exactly; w = 0 is equation 7. The cost is CFG's: two rows.
 */
import { constantMix, type Guidance, type GuidanceSettings, strong } from "./guidance.ts";

export const pg = ({ scale: s, omega }: GuidanceSettings): Guidance =>
  constantMix([strong("cond"), { text: "null", strength: omega }], [s, 1 - s]);
