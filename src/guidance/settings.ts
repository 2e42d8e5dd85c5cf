/** Settings that several methods share. A method may give one another default: `{ ...scale, default: 5 }`. */
import type { ChoiceSetting, NumberSetting } from "./method.ts";

export const scale = {
  kind: "number",
  name: "scale",
  label: "Scale",
  help: "guidance scale",
  short: "s",
  told: "in recipes",
  ofModel: true,
  default: 7.5,
} as const satisfies NumberSetting;

/** The scale of the ++ methods. */
export const lambda = {
  ...scale,
  label: "Lambda",
  help: "lambda, 0 to 1",
  ofModel: false,
  default: 0.4,
  usual: { from: 0, to: 1, is: "the range of lambda" },
} as const satisfies NumberSetting;

export const omega = {
  kind: "number",
  name: "omega",
  label: "Omega",
  help: "share of the fine-tuned model in what is moved away from: 0 favours the subject, 1 is CFG (of pg++: CFG++)",
  short: "w",
  told: "in names",
  ofModel: true,
  default: 0.6,
  usual: { from: 0, to: 1, is: "the range between the two models" },
} as const satisfies NumberSetting;

export const agScale = {
  kind: "number",
  name: "agScale",
  label: "AG scale",
  help: "scale of the autoguidance",
  short: "ag",
  told: "in recipes",
  default: 2,
} as const satisfies NumberSetting;

const every = {
  kind: "number",
  name: "guidanceEvery",
  label: "Guidance every",
  help: "steps from one evaluation of all predictions to the next; in between, the prompt's alone is evaluated",
  short: "every",
  told: "when changed",
  default: 1,
  least: 1,
  whole: true,
} as const satisfies NumberSetting;

const between = {
  kind: "choice",
  name: "guidanceBetween",
  label: "Guidance between",
  help: "what stands for the other predictions in between: their last difference from the prompt's, these themselves, or the line through the last two differences",
  short: "",
  told: "when changed",
  choices: ["difference", "weak", "extrapolated"],
  default: "difference",
} as const satisfies ChoiceSetting;

const from = {
  kind: "number",
  name: "guidanceFrom",
  label: "Guidance from",
  help: "share of the steps where guidance begins; before, the prompt's prediction alone",
  short: "from",
  told: "when changed",
  default: 0,
  least: 0,
  most: 1,
} as const satisfies NumberSetting;

const to = {
  kind: "number",
  name: "guidanceTo",
  label: "Guidance to",
  help: "share of the steps where guidance ends; after, the prompt's prediction alone",
  short: "to",
  told: "when changed",
  default: 1,
  least: 0,
  most: 1,
} as const satisfies NumberSetting;

/** Fewer evaluations (evaluations.ts): of every method with a strong prediction that is the same throughout, and others. */
export const evaluation = [every, between, from, to] as const;

/** These come first wherever settings are listed. */
export const shared = [scale, omega, agScale] as const;
