/** Classifier-free guidance (Ho and Salimans 2022): e(1, null) + s (e(1, c) - e(1, null)). */
import { constantMix, strong } from "./guidance.ts";
import { method } from "./method.ts";
import { evaluation, scale } from "./settings.ts";

export const cfg = method({
  name: "cfg",
  label: "classifier-free guidance",
  help: "away from the prediction without a prompt",
  settings: [scale, ...evaluation],
  needs: [],
  guide: ({ scale: s }) => constantMix([strong("cond"), strong("null")], [s, 1 - s]),
});
