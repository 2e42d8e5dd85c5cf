/**
 * Classifier-free guidance for editing (Brooks et al. 2023, InstructPix2Pix, equation 3): with x the picture and c the instruction,
 * e(null, none) + i (e(null, x) - e(null, none)) + s (e(c, x) - e(null, x)).
 */
import { constantMix, strong } from "./guidance.ts";
import { method } from "./method.ts";
import { evaluation, imageScale, scale } from "./settings.ts";

export const cfgEdit = method({
  name: "cfg-edit",
  label: "CFG for editing",
  help: "away from the prediction without an instruction, and that away from the one without the picture; for editing models",
  settings: [scale, imageScale, ...evaluation],
  needs: ["editing"],
  guide: ({ scale: s, imageScale: i }) =>
    constantMix([strong("cond"), strong("null"), { ...strong("null"), picture: "none" }], [s, i - s, 1 - i]),
});
