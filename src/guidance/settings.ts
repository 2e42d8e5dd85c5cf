/** Settings that several methods share. A method may give one another default: `{ ...scale, default: 5 }`. */
import type { NumberSetting } from "./method.ts";

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

/** These come first wherever settings are listed. */
export const shared = [scale, omega, agScale] as const;
