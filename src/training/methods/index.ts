/** The personalisation methods by the names of the command line. */
import { classDiffusion } from "./class-diffusion.ts";
import { customDiffusion } from "./custom-diffusion.ts";
import { dreambooth } from "./dreambooth.ts";
import { dreamboothTi } from "./dreambooth-ti.ts";
import type { TrainingMethod } from "./method.ts";
import { textualInversion } from "./textual-inversion.ts";

export type { Initializer, TrainingMethod } from "./method.ts";

export const trainingMethods = {
  dreambooth,
  "dreambooth-ti": dreamboothTi,
  "class-diffusion": classDiffusion,
  "textual-inversion": textualInversion,
  "custom-diffusion": customDiffusion,
} as const satisfies Readonly<Record<string, TrainingMethod>>;

export type TrainingMethodName = keyof typeof trainingMethods;
export const trainingMethodNames = Object.keys(trainingMethods) as readonly TrainingMethodName[];
