/**
 * Classifier-free guidance with autoguidance by the pre-trained model, called AG in the paper's tables. The paper gives its
 * cost, three evaluations, but not its formula. Mixes with that cost, where A = e(1, c), N = e(1, null), P = e(0, c):
 * - sum, the default: A + (s - 1)(A - N) + (a - 1)(A - P); s = 1 is AG alone;
 * - nested-cond, autoguidance of the conditional prediction inside CFG: N + s (P + a (A - P) - N);
 * - outer, autoguidance of CFG's prediction: P + a (N + s (A - N) - P).
 * With a = 1 each is CFG.
 */
import { constantMix, strong, weak } from "./guidance.ts";
import { type ChoiceSetting, method } from "./method.ts";
import { agScale, evaluation, scale } from "./settings.ts";

const mix = {
  kind: "choice",
  name: "mix",
  label: "Mix",
  help: "how CFG and autoguidance are combined",
  short: "",
  told: "when changed",
  choices: ["sum", "nested-cond", "outer"],
  default: "sum",
} as const satisfies ChoiceSetting;

export const cfgAg = method({
  name: "cfg+ag",
  label: "CFG and autoguidance",
  help: "away from the prediction without a prompt, and from the pre-trained model",
  settings: [scale, agScale, mix, ...evaluation],
  needs: ["fine-tuning"],
  baseline: "cfg",
  isBaselineAt: { agScale: 1 },
  guide: ({ scale: s, agScale: a, mix }) =>
    constantMix(
      [strong("cond"), strong("null"), weak("cond", 0)],
      {
        sum: [s + a - 1, 1 - s, 1 - a],
        "nested-cond": [s * a, 1 - s, s * (1 - a)],
        outer: [a * s, a * (1 - s), 1 - a],
      }[mix],
    ),
});
