/** Settings shared by several methods. A method may change a default: `{ ...scale, default: 5 }`. */
import type { ChoiceSetting, NumberSetting, OmegaSetting } from "./method.ts";

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
  kind: "omega",
  name: "omega",
  label: "Omega",
  help: "share of the fine-tuned model in the weak model: 0 favours the subject, 1 is CFG (for pg++, CFG++); or over the steps (linear:0.2..0.8, cosine:0.2..0.8, step:0.2..0.8@0.5), or by part (down=0,mid=0.6,up=1; unet=0.6,text_encoder=1)",
  short: "w",
  told: "in names",
  ofModel: true,
  default: 0.6,
  usual: { from: 0, to: 1, is: "the range between the two models" },
} as const satisfies OmegaSetting;

export const imageScale = {
  kind: "number",
  name: "imageScale",
  label: "Image scale",
  help: "how closely an edit follows its picture",
  short: "i",
  told: "in recipes",
  default: 1.5,
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

/** For methods with a weak model that sees no prompt. */
export const nullText = {
  kind: "choice",
  name: "nullText",
  label: "Null text",
  help: "the text encoder that encodes the weak model's null text: the weak model's own, or the fine-tuned one",
  short: "null-",
  told: "when changed",
  choices: ["weak", "strong"],
  default: "weak",
} as const satisfies ChoiceSetting;

const every = {
  kind: "number",
  name: "guidanceEvery",
  label: "Guidance every",
  help: "evaluate all predictions once every so many steps; in between, only the prompt's",
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
  help: "what replaces the other predictions in between: their last difference from the prompt's, their last values, or the last two differences extrapolated linearly",
  short: "",
  told: "when changed",
  choices: ["difference", "weak", "extrapolated"],
  default: "difference",
} as const satisfies ChoiceSetting;

const from = {
  kind: "number",
  name: "guidanceFrom",
  label: "Guidance from",
  help: "fraction of the steps after which guidance begins; before that, the prompt's prediction alone",
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
  help: "fraction of the steps after which guidance ends; from then on, the prompt's prediction alone",
  short: "to",
  told: "when changed",
  default: 1,
  least: 0,
  most: 1,
} as const satisfies NumberSetting;

/** Fewer evaluations (evaluations.ts): for every method whose strong prediction is the same at all steps. */
export const evaluation = [every, between, from, to] as const;

/** At 1.35 rows per step equivalent to full PG, measured with 20 steps (results/README.md). */
export const everyThird = { guidanceEvery: 3, guidanceBetween: "extrapolated" } as const;

/** These come first wherever settings are listed. */
export const shared = [scale, omega, agScale] as const;
