/**
 * Personalization guidance that interpolates predictions instead of weights:
 * e(1, c) + (s - 1)(w (e(1, c) - e(1, null)) + (1 - w)(e(1, c) - e(0, null))).
 *
 * The alternative to interpolated weights in Steering Guidance, section 3.2; on a network that is linear in its parameters the
 * two are equal. w = 1 is CFG and w = 0 is PG at 0; in between it takes a third evaluation.
 */
import { constantMix, strong, weakNull } from "./guidance.ts";
import { method } from "./method.ts";
import { evaluation, nullText, omega, scale } from "./settings.ts";

export const outputInterpolation = method({
  name: "output-interpolation",
  label: "output-space interpolation",
  help: "away from the two models' predictions without a prompt, mixed by omega",
  settings: [scale, omega, nullText, ...evaluation],
  needs: ["fine-tuning"],
  baseline: "cfg",
  isBaselineAt: { omega: 1 },
  guide: ({ scale: s, omega: w, nullText }) =>
    constantMix([strong("cond"), strong("null"), weakNull(0, nullText)], [s, (1 - s) * w, (1 - s) * (1 - w)]),
});
