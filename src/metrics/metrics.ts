/** Every metric, in the order in which they are listed. Each is one file, and that file is all there is to know of it. */
import { clipI } from "./clip-i.ts";
import { clipT } from "./clip-t.ts";
import { dino } from "./dino.ts";

export const metrics = [dino, clipI, clipT] as const;
