/** Numbers of the paper (Steering Guidance for Personalized Text-to-Image Diffusion Models), for orientation beside ours. */
import type { Scores } from "../metrics/fidelity.ts";
import type { RecipeName } from "../training/recipes/index.ts";
import type { Arm } from "./experiment.ts";

type Row = readonly [method: string, omega: number | undefined, dino: number, clipI: number, clipT: number];

/** Tables 1 and 2, Stable Diffusion 1.5 on ViCo. */
const sd15: Partial<Record<RecipeName, readonly Row[]>> = {
  dreambooth: [
    ["none", undefined, 0.3741, 0.6797, 0.2834],
    ["cfg", undefined, 0.4701, 0.7349, 0.3345],
    ["cfg+ag", undefined, 0.4831, 0.7408, 0.3236],
    ["pg", 0, 0.4985, 0.7516, 0.326],
    ["pg", 0.6, 0.5024, 0.751, 0.3288],
  ],
  "dreambooth-ti": [
    ["none", undefined, 0.3725, 0.6775, 0.2817],
    ["cfg", undefined, 0.4618, 0.7292, 0.3316],
    ["sag", undefined, 0.46, 0.7273, 0.3307],
    ["cfg+ag", undefined, 0.4806, 0.7408, 0.3264],
    ["pg", 0, 0.4814, 0.7459, 0.3233],
    ["pg", 0.7, 0.488, 0.7461, 0.3272],
  ],
  "class-diffusion": [
    ["none", undefined, 0.3703, 0.6669, 0.2757],
    ["cfg", undefined, 0.5287, 0.7517, 0.3305],
    ["sag", undefined, 0.5172, 0.7465, 0.3296],
    ["cfg+ag", undefined, 0.557, 0.7628, 0.328],
    ["pg", 0, 0.57, 0.7656, 0.3297],
  ],
};

/** What the paper has for a method on Stable Diffusion 1.5 at its own scales, if it has it. */
export function published(recipe: RecipeName, { guidance, omega }: Arm): Scores | undefined {
  const row = sd15[recipe]?.find(([method, w]) => method === guidance && w === omega);
  return row && { dino: row[2], clipI: row[3], clipT: row[4] };
}
