/**
 * Subject-agnostic guidance (Chan et al., CVPR 2024) in its dual form: classifier-free guidance with
 * e_bar = (1 + w_t) e(1, c) - w_t e(1, c0) in place of e(1, c), where c0 is the prompt without its learned tokens.
 *
 * With t from 1 (noise) to 0 (picture), w_t is -1 while t > T and r after. With their T = 0.9 and r = 0 the layout comes from
 * c0, in the first tenth of the steps, and the subject from c.
 */
import { strong } from "./guidance.ts";
import { method, type NumberSetting } from "./method.ts";
import { scale } from "./settings.ts";

const threshold = {
  kind: "number",
  name: "sagThreshold",
  label: "SAG threshold",
  help: "T, time from 1 (noise) to 0 (picture): until then, the prompt without its learned tokens is used",
  short: "T",
  told: "when changed",
  default: 0.9,
  least: 0,
  most: 1,
} as const satisfies NumberSetting;

const weight = {
  kind: "number",
  name: "sagWeight",
  label: "SAG weight",
  help: "r, after the threshold: 0 is the whole prompt, -1 the prompt without its learned tokens",
  short: "r",
  told: "when changed",
  default: 0,
  usual: { from: -1, to: 0, is: "the range between the two prompts" },
} as const satisfies NumberSetting;

export const sag = method({
  name: "sag",
  label: "CFG and subject-agnostic guidance",
  help: "CFG whose first steps see the prompt without its learned tokens",
  settings: [scale, threshold, weight],
  needs: ["learned token"],
  baseline: "cfg",
  isBaselineAt: { sagThreshold: 1 },
  everyStep: "its first and later steps follow different prompts, so no single prediction can replace the others",
  guide: ({ scale: s, sagThreshold: T, sagWeight: r }) => ({
    rows: [strong("cond"), strong("null"), strong("agnostic")],
    coefficients: (step, steps) => {
      // 1 - step / steps > T, in steps; rounding error in 1 - T must not count as a step.
      const w = step < steps * (1 - T) - 1e-9 ? -1 : r;
      return { output: [s * (1 + w), 1 - s, -s * w] };
    },
  }),
});
