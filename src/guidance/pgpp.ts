/** PG++ (Steering Guidance, table 6): CFG++ with the weak model e(w, null) in the place of e(1, null), re-noising included. */
import { type Guidance, type GuidanceSettings, strong } from "./guidance.ts";

export const pgpp = ({ scale: l, omega }: GuidanceSettings): Guidance => ({
  rows: [strong("cond"), { text: "null", strength: omega }],
  coefficients: () => ({ output: [l, 1 - l], renoise: [0, 1] }),
});
