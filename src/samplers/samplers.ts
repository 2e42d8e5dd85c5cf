/** Every sampler, in listing order; each is one self-contained file. */
import { ddim } from "./ddim.ts";
import { dpmSolverPlusPlus } from "./dpmpp.ts";
import { euler } from "./euler.ts";
import { eulerAncestral } from "./euler-ancestral.ts";
import { flowEuler } from "./flow-euler.ts";

export const samplers = [ddim, dpmSolverPlusPlus, euler, eulerAncestral, flowEuler] as const;
