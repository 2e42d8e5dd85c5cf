/** No guidance: e(1, c). */
import { constantMix, strong } from "./guidance.ts";
import { method } from "./method.ts";

export const none = method({
  name: "none",
  label: "no guidance",
  help: "the fine-tuned model alone",
  settings: [],
  needs: [],
  everyStep: "it has no second prediction to save",
  baseline: "cfg",
  guide: () => constantMix([strong("cond")], [1]),
});
