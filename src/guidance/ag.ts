/** Autoguidance by the pre-trained model alone (Steering Guidance, equation 6): e(0, c) + a (e(1, c) - e(0, c)). */
import { constantMix, strong, weak } from "./guidance.ts";
import { method } from "./method.ts";
import { agScale, evaluation } from "./settings.ts";

export const ag = method({
  name: "ag",
  label: "autoguidance",
  help: "away from the pre-trained model with the same prompt",
  settings: [agScale, ...evaluation],
  needs: ["fine-tuning"],
  baseline: "cfg",
  guide: ({ agScale: a }) => constantMix([strong("cond"), weak("cond", 0)], [a, 1 - a]),
});
