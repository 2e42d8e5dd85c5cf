/** The device and number type for drawing with a model. */
import type { Model } from "../families/family.ts";
import { largestNetwork } from "../families/parameters.ts";
import { type Compute, type DeviceName, type PrecisionName, resolveCompute } from "../runtime/index.ts";
import { drawingSize } from "./drawing-size.ts";
import { type DrawingSize, type Planner, plannerOf } from "./memory-plan.ts";

/** As {@link resolveCompute}; `auto` takes only what the memory plan allows, by default that of a picture of the usual size. */
export const drawingCompute = (
  model: Model,
  options: { device?: DeviceName | undefined; precision?: PrecisionName | undefined },
  planner: Planner = plannerOf(model),
  size: DrawingSize = drawingSize(model, model.defaults),
): Promise<Compute> =>
  resolveCompute(options, {
    parameters: largestNetwork(model),
    fits: (compute) => planner.plan(compute, size).fits,
  });
