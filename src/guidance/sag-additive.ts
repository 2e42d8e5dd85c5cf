/** Subject-agnostic guidance in an additive form, at every step: e(1, null) + s (e(1, c) - e(1, null)) + g (e(1, c0) - e(1, c)). */
import { constantMix, strong } from "./guidance.ts";
import { method, type NumberSetting } from "./method.ts";
import { evaluation, scale } from "./settings.ts";

const sagScale = {
  kind: "number",
  name: "sagScale",
  label: "SAG scale",
  help: "g, scale of the step towards the prompt without its learned tokens",
  short: "g",
  told: "when changed",
  default: 1,
} as const satisfies NumberSetting;

export const sagAdditive = method({
  name: "sag-additive",
  label: "CFG and subject-agnostic guidance, added",
  help: "CFG plus the step from the prompt to the one without its learned tokens",
  settings: [scale, sagScale, ...evaluation],
  needs: ["learned token"],
  baseline: "cfg",
  isBaselineAt: { sagScale: 0 },
  guide: ({ scale: s, sagScale: g }) =>
    constantMix([strong("cond"), strong("null"), strong("agnostic")], [s - g, 1 - s, g]),
});
