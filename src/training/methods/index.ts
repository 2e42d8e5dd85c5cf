/** The training methods, by their names on the command line. */
import { classDiffusion } from "./class-diffusion.ts";
import { customDiffusion } from "./custom-diffusion.ts";
import { dreambooth } from "./dreambooth.ts";
import { dreamboothTi } from "./dreambooth-ti.ts";
import { full } from "./full.ts";
import type { TrainingMethod } from "./method.ts";
import { textualInversion } from "./textual-inversion.ts";

export type { Initializer, TrainingMethod } from "./method.ts";

/** The training methods, each with what it trains and its published settings. */
export const trainingMethods = {
  dreambooth,
  "dreambooth-ti": dreamboothTi,
  "class-diffusion": classDiffusion,
  "textual-inversion": textualInversion,
  "custom-diffusion": customDiffusion,
  full,
} as const satisfies Readonly<Record<string, TrainingMethod>>;

/**
 * The training methods by name.
 *
 * @useDeclaredType
 */
export type TrainingMethodName = keyof typeof trainingMethods;
/** Their names. */
export const trainingMethodNames = Object.keys(trainingMethods) as readonly TrainingMethodName[];
/** The names of those that train an adapter. */
export const adapterMethodNames = trainingMethodNames.filter((name) => !trainingMethods[name].network);
