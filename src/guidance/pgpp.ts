/**
 * PG++ (Steering Guidance, table 6): CFG++ with the weak model e(w, null) in place of e(1, null). The paper does not say which
 * prediction re-noises: the weak model's, the plain substitution and the default, or the strong model's, at the cost of a
 * third evaluation.
 */
import { strong, weakNull } from "./guidance.ts";
import { type ChoiceSetting, method } from "./method.ts";
import { atOmega } from "./omega.ts";
import { evaluation, lambda, nullText, omega } from "./settings.ts";

const renoise = {
  kind: "choice",
  name: "renoise",
  label: "Re-noising",
  help: "which model's prediction without a prompt re-noises",
  short: "",
  told: "when changed",
  choices: ["weak", "strong"],
  default: "weak",
} as const satisfies ChoiceSetting;

export const pgpp = method({
  name: "pg++",
  label: "PG++",
  help: "CFG++ away from the weak model, at omega",
  settings: [lambda, omega, renoise, nullText, ...evaluation],
  needs: ["fine-tuning"],
  baseline: "cfg++",
  isBaselineAt: { omega: 1 },
  guide: ({ scale: l, omega, renoise, nullText }) =>
    atOmega(omega, (w) =>
      renoise === "weak"
        ? {
            rows: [strong("cond"), weakNull(w, nullText)],
            coefficients: () => ({ output: [l, 1 - l], renoise: [0, 1] }),
          }
        : {
            rows: [strong("cond"), weakNull(w, nullText), strong("null")],
            coefficients: () => ({ output: [l, 1 - l, 0], renoise: [0, 0, 1] }),
          },
    ),
});
