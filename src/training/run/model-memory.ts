/** What a model needs in memory, for drawing and for training, without loading it. */
import { TillerError } from "../../errors/index.ts";
import { type OpenModelOptions, openModel } from "../../families/open-model.ts";
import { largestNetwork } from "../../families/parameters.ts";
import { drawingSize } from "../../pipelines/drawing-size.ts";
import { type MemoryPlan, type PlanOptions, plannerOf } from "../../pipelines/memory-plan.ts";
import { type DeviceName, type PrecisionName, resolveCompute } from "../../runtime/index.ts";
import { projections, trainedComponents } from "../objective/trained.ts";
import { planTraining, type TrainingPlan } from "./training-plan.ts";

/** The plans of a model's memory. */
export interface ModelMemory {
  /** Drawing at the model's own size with CFG, one plan for each number type that this machine has, float32 first. */
  readonly drawing: readonly MemoryPlan[];
  /** A DreamBooth LoRA of rank 4 at the model's own size, with class images. */
  readonly training: TrainingPlan;
}

/**
 * Plans a model's memory from its files' headers.
 *
 * @throws TillerError if the model cannot be opened.
 */
export async function modelMemory(
  name: string,
  options: PlanOptions &
    OpenModelOptions & { device?: DeviceName | undefined; precision?: PrecisionName | undefined } = {},
): Promise<ModelMemory> {
  const { device, precision, memory } = options;
  const model = await openModel(name, options);
  const size = drawingSize(model, { ...model.defaults, guidance: "cfg" });
  const planner = plannerOf(model, options);
  const drawing: MemoryPlan[] = [];
  for (const one of precision === undefined ? (["float32", "bfloat16", "float16", "int8"] as const) : [precision]) {
    const work = { parameters: largestNetwork(model) };
    const compute = await resolveCompute({ device, precision: one }, work).catch((error: unknown) => {
      if (error instanceof TillerError && precision === undefined) return undefined;
      throw error;
    });
    if (compute) drawing.push(planner.plan(compute, size));
  }
  const lowRank = new Map(trainedComponents(model).map((component) => [component, projections(model, component)]));
  const trained = { lowRank, rank: 4, alpha: 4, matrices: new Map(), vectors: 0 };
  const compute = await resolveCompute({ device });
  const training = planTraining(model, compute, { trained, resolution: size.height, rows: 2 }, memory);
  return { drawing, training };
}
