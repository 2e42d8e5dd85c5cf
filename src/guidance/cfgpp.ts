/**
 * CFG++ (Chung et al. 2024): the clean latents are predicted from e(1, null) + l (e(1, c) - e(1, null)) with l in [0, 1], and
 * noise is added back with e(1, null).
 */
import { type Guidance, type GuidanceSettings, strong } from "./guidance.ts";

export const cfgpp = ({ scale: l }: GuidanceSettings): Guidance => ({
  rows: [strong("cond"), strong("null")],
  coefficients: () => ({ output: [l, 1 - l], renoise: [0, 1] }),
});
