/** All metrics, in display order. Each is defined in one file. */
import { clipI } from "./clip-i.ts";
import { clipT } from "./clip-t.ts";
import { dino } from "./dino.ts";
import { dreamsim } from "./dreamsim.ts";
import { pickscore } from "./pickscore.ts";
import { worldDistance } from "./world-distance.ts";
import { worldScore } from "./world-score.ts";

export const metrics = [dino, clipI, clipT, pickscore, dreamsim, worldScore, worldDistance] as const;
