/**
 * CFG++ (Chung et al. 2024): the clean latents are predicted from e(1, null) + l (e(1, c) - e(1, null)) with l in [0, 1], and
 * noise is added back with e(1, null).
 */
import { strong } from "./guidance.ts";
import { method } from "./method.ts";
import { evaluation, lambda } from "./settings.ts";

export const cfgpp = method({
  name: "cfg++",
  label: "CFG++",
  help: "CFG that re-noises with the prediction without a prompt",
  settings: [lambda, ...evaluation],
  needs: [],
  baseline: "cfg",
  guide: ({ scale: l }) => ({
    rows: [strong("cond"), strong("null")],
    coefficients: () => ({ output: [l, 1 - l], renoise: [0, 1] }),
  }),
});
