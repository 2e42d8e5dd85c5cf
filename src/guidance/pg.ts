/**
 * Personalization guidance (Steering Guidance, equation 9): e(w, null) + s (e(1, c) - e(w, null)).
 *
 * The weak model is the fine-tuned one pulled back towards the pre-trained one, and it sees no prompt. w = 1 is CFG
 * exactly; w = 0 is equation 7. The cost is CFG's: two rows.
 */
import { constantMix, strong, weak } from "./guidance.ts";
import { method } from "./method.ts";
import { evaluation, omega, scale } from "./settings.ts";

export const pg = method({
  name: "pg",
  label: "personalization guidance",
  help: "away from the model at omega without a prompt",
  settings: [scale, omega, ...evaluation],
  needs: ["fine-tuning"],
  baseline: "cfg",
  isBaselineAt: { omega: 1 },
  guide: ({ scale: s, omega: w }) => constantMix([strong("cond"), weak("null", w)], [s, 1 - s]),
});
