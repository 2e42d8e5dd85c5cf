/**
 * Style guidance (Jones et al. 2024, "Customizing Text-to-Image Models with a Single Image Pair", equation 10): classifier-free
 * guidance of the pre-trained model with the prompt without its style, and a step from that prediction to the fine-tuned
 * model's with the style: e(0, null) + s (e(0, p) - e(0, null)) + g (e(1, c) - e(0, p)).
 *
 * As in the authors' code, the style may begin late: until then, the pre-trained model's guidance alone.
 */
import { stepsBefore } from "../rounding.ts";
import { strong, weak } from "./guidance.ts";
import { method, type NumberSetting } from "./method.ts";
import { evaluation, scale } from "./settings.ts";

const styleScale = {
  kind: "number",
  name: "styleScale",
  label: "Style scale",
  help: "g, scale of the step to the fine-tuned model with the style",
  short: "g",
  told: "in recipes",
  default: 3,
} as const satisfies NumberSetting;

const styleFrom = {
  kind: "number",
  name: "styleFrom",
  label: "Style from",
  help: "fraction of the steps after which the style begins; before that, the pre-trained model without it",
  short: "style-from",
  told: "when changed",
  default: 0,
  least: 0,
  most: 1,
} as const satisfies NumberSetting;

export const style = method({
  name: "style",
  label: "style guidance",
  help: "CFG of the pre-trained model, plus the step to the fine-tuned one with the style",
  settings: [scale, styleScale, styleFrom, ...evaluation],
  needs: ["fine-tuning", "style"],
  baseline: "cfg",
  guide: ({ scale: s, styleScale: g, styleFrom: from }) => ({
    rows: [strong("cond"), weak("plain", 0), weak("null", 0)],
    coefficients: (step, steps) => {
      const output = step < stepsBefore(from, steps) ? [0, s, 1 - s] : [g, s - g, 1 - s];
      return { output };
    },
  }),
});
