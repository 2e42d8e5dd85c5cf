/** Every sampler, in the order in which they are listed. Each is one file, and that file is all there is to know of it. */
import { ddim } from "./ddim.ts";
import { dpmSolverPlusPlus } from "./dpmpp.ts";
import { euler } from "./euler.ts";
import { eulerAncestral } from "./euler-ancestral.ts";
import { flowEuler } from "./flow-euler.ts";

export const samplers = [ddim, dpmSolverPlusPlus, euler, eulerAncestral, flowEuler] as const;
