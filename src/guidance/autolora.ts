/**
 * AutoLoRA (Kasymov et al. 2024): classifier-free guidance inside both models, E(a) = e(a, null) + s (e(a, c) - e(a, null)),
 * then E(0) + a (E(1) - E(0)). Four evaluations.
 */
import { constantMix, strong, weak, weakNull } from "./guidance.ts";
import { method } from "./method.ts";
import { agScale, evaluation, nullText, scale } from "./settings.ts";

export const autolora = method({
  name: "autolora",
  label: "AutoLoRA",
  help: "CFG inside both models, then autoguidance between them",
  settings: [scale, agScale, nullText, ...evaluation],
  needs: ["fine-tuning"],
  baseline: "cfg",
  isBaselineAt: { agScale: 1 },
  guide: ({ scale: s, agScale: a, nullText }) =>
    constantMix(
      [strong("cond"), strong("null"), weak("cond", 0), weakNull(0, nullText)],
      [a * s, a * (1 - s), (1 - a) * s, (1 - a) * (1 - s)],
    ),
});
