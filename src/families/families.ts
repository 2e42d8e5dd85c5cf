/** Every family, each one folder. */
import type { Family } from "./family.ts";
import { sana } from "./sana/index.ts";
import { stableDiffusion } from "./stable-diffusion/index.ts";
import { stableDiffusionXl } from "./stable-diffusion-xl/index.ts";

export const families: readonly Family[] = [stableDiffusion, stableDiffusionXl, sana];
