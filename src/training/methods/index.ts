/** The personalisation methods by the names of the command line. */
import { classDiffusion } from "./class-diffusion.ts";
import { customDiffusion } from "./custom-diffusion.ts";
import { dreambooth } from "./dreambooth.ts";
import { dreamboothTi } from "./dreambooth-ti.ts";
import type { Recipe } from "./method.ts";
import { textualInversion } from "./textual-inversion.ts";

export type { Initializer, Recipe } from "./method.ts";

export const recipes = {
  dreambooth,
  "dreambooth-ti": dreamboothTi,
  "class-diffusion": classDiffusion,
  "textual-inversion": textualInversion,
  "custom-diffusion": customDiffusion,
} as const satisfies Readonly<Record<string, Recipe>>;

export type RecipeName = keyof typeof recipes;
export const recipeNames = Object.keys(recipes) as readonly RecipeName[];
