/**
 * Personalization guidance (Steering Guidance, equation 9): e(w, null) + s (e(1, c) - e(w, null)).
 *
 * The weak model is the fine-tuned one interpolated towards the pre-trained one, and sees no prompt. w = 1 is exactly CFG;
 * w = 0 is equation 7. It costs as much as CFG: two rows.
 */
import { constantMix, strong, weakNull } from "./guidance.ts";
import { method } from "./method.ts";
import { atOmega } from "./omega.ts";
import { evaluation, nullText, omega, scale } from "./settings.ts";

export const pg = method({
  name: "pg",
  label: "personalization guidance",
  help: "away from the weak model, at omega, without a prompt",
  settings: [scale, omega, nullText, ...evaluation],
  needs: ["fine-tuning"],
  baseline: "cfg",
  isBaselineAt: { omega: 1 },
  guide: ({ scale: s, omega, nullText }) =>
    atOmega(omega, (w) => constantMix([strong("cond"), weakNull(w, nullText)], [s, 1 - s])),
});
