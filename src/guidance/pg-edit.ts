/**
 * Personalization guidance of an editing model (Steering Guidance, section 4.4 and supplement B): CFG for editing whose unconditional
 * prediction is the weak model's, between the editing model and the text-to-image model that it was fine-tuned from.
 *
 * The paper replaces "the unconditional output (null text)". Two rows have a null text; the default replaces only the one that does not
 * see the picture either, since at omega 0 the other would no longer see it: the pre-trained model takes no picture.
 */
import { constantMix, strong, weak } from "./guidance.ts";
import { type ChoiceSetting, method } from "./method.ts";
import { atOmega } from "./omega.ts";
import { evaluation, imageScale, omega, scale } from "./settings.ts";

const weakRows = {
  kind: "choice",
  name: "weakRows",
  label: "Weak rows",
  help: "which rows are the weak model's: the one without picture and instruction, or both without instruction",
  short: "",
  told: "when changed",
  choices: ["unconditional", "null"],
  default: "unconditional",
} as const satisfies ChoiceSetting;

export const pgEdit = method({
  name: "pg-edit",
  label: "PG for editing",
  help: "CFG for editing whose unconditional prediction is the weak model's, at omega",
  settings: [scale, imageScale, omega, weakRows, ...evaluation],
  needs: ["fine-tuning", "editing"],
  baseline: "cfg-edit",
  isBaselineAt: { omega: 1 },
  guide: ({ scale: s, imageScale: i, omega, weakRows }) =>
    atOmega(omega, (w) =>
      constantMix(
        [
          strong("cond"),
          weakRows === "null" ? weak("null", w) : strong("null"),
          { ...weak("null", w), picture: "none" },
        ],
        [s, i - s, 1 - i],
      ),
    ),
});
