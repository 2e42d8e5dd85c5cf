/**
 * Personalization guidance that interpolates predictions instead of weights:
 * e(1, c) + (s - 1)(w (e(1, c) - e(1, null)) + (1 - w)(e(1, c) - e(0, null))).
 *
 * The alternative to interpolated weights in Steering Guidance, section 3.2; on a network that is linear in its parameters the
 * two are equal. w = 1 is CFG and w = 0 is PG at 0; in between it takes a third evaluation.
 */
import { constantMix, strong, weakNull } from "./guidance.ts";
import { method, type OmegaSetting } from "./method.ts";
import { atOmega } from "./omega.ts";
import { evaluation, nullText, omega, scale } from "./settings.ts";
import { shareAt } from "./share.ts";

const shareOfPredictions = {
  ...omega,
  help: "share of the fine-tuned model's prediction: 0 favours the subject, 1 is CFG; or over the steps (linear:0.2..0.8, cosine:0.2..0.8, step:0.2..0.8@0.5)",
  whole: "predictions are those of the whole model",
} as const satisfies OmegaSetting;

export const outputInterpolation = method({
  name: "output-interpolation",
  label: "output-space interpolation",
  help: "away from the two models' predictions without a prompt, mixed by omega",
  settings: [scale, shareOfPredictions, nullText, ...evaluation],
  needs: ["fine-tuning"],
  baseline: "cfg",
  isBaselineAt: { omega: 1 },
  guide: ({ scale: s, omega, nullText }) =>
    atOmega(omega, (share) => {
      const w = shareAt(share, []);
      return constantMix([strong("cond"), strong("null"), weakNull(0, nullText)], [s, (1 - s) * w, (1 - s) * (1 - w)]);
    }),
});
