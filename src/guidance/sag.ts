/**
 * Subject-agnostic guidance (Chan et al., CVPR 2024) in its dual form: classifier-free guidance with
 * e_bar = (1 + w_t) e(1, c) - w_t e(1, c0) in the place of e(1, c), c0 being the prompt without its learned tokens.
 *
 * w_t is -1 in the first tenth of the steps and 0 after (their T = 0.9, r = 0): the layout comes from c0, the subject from c.
 */
import { type Guidance, type GuidanceSettings, strong } from "./guidance.ts";

export const sag = ({ scale: s }: GuidanceSettings): Guidance => ({
  rows: [strong("cond"), strong("null"), strong("agnostic")],
  coefficients: (step, steps) => {
    const w = step < steps / 10 ? -1 : 0;
    return { output: [s * (1 + w), 1 - s, -s * w] };
  },
});
