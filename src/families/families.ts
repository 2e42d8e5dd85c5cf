/** Every family, each one folder. */
import type { Family } from "./family.ts";
import { sana } from "./sana/index.ts";
import { stableDiffusion } from "./stable-diffusion/index.ts";

export const families: readonly Family[] = [stableDiffusion, sana];
