/** All metrics, in display order. Each is defined in one file. */
import { clipI } from "./clip-i.ts";
import { clipT } from "./clip-t.ts";
import { dino } from "./dino.ts";

export const metrics = [dino, clipI, clipT] as const;
