/** Plans a training run's memory before anything is built. */
import type { Model } from "../../families/family.ts";
import { inputsOf, type Outputs } from "../../graph/index.ts";
import { modulesOf } from "../../models/components.ts";
import { needOf, type Sizes } from "../../pipelines/memory-need.ts";
import { type Budget, budgetOf, firstFitting, type MemoryPhase, processBytes } from "../../pipelines/memory-plan.ts";
import { budgetText, memoryShort } from "../../pipelines/memory-text.ts";
import { isTiled } from "../../pipelines/tiles.ts";
import { type Compute, totalMemory } from "../../runtime/index.ts";
import { denoisingLoss, withGradients } from "../objective/losses.ts";
import { type Trained, trainsText } from "../objective/trained.ts";

/** What training needs, how it will be computed, and what the machine has. */
export interface TrainingPlan extends Compute, Budget {
  /** Side of the training pictures, in pixels. */
  readonly resolution: number;
  /** Pictures of a step: instance and class images. */
  readonly rows: number;
  /** Weights stay in their mapped files and are converted at each use. */
  readonly lowMemory: boolean;
  /** Pictures are encoded in tiles, which changes their latents slightly. */
  readonly tiled: boolean;
}

/** What is trained, for a plan. */
export interface TrainingSize {
  readonly trained: Trained;
  readonly resolution: number;
  readonly rows: number;
}

/** The first way of computing that fits into `memory`, else the last. */
export function planTraining(
  model: Model,
  compute: Compute,
  { trained, resolution, rows }: TrainingSize,
  memory: number | undefined = totalMemory(),
): TrainingPlan {
  const { device, precision } = compute;
  const loss = denoisingLoss(model, trained);
  const names = [...inputsOf({ loss }).keys()].filter((name) => name.includes(":") && !name.endsWith(".strength"));
  const modules = modulesOf(model.components);
  const text = trainsText(model, trained) ? undefined : model.text.graph(modules);
  const encoder = model.latents.encode(modules);
  const step = withGradients(loss, names);
  const { pixelsPerLatent, tiles } = model.latents;
  const side = resolution / pixelsPerLatent;
  const large = isTiled(side, side, tiles);
  const saving = device === "cpu" && precision === "float32";
  const ranks = Object.fromEntries(rankNames(step).map((name) => [name, trained.rank]));
  const moments = 2 * 4 * wholeElements(model, trained);

  const planned = (lowMemory: boolean, tiled: boolean): TrainingPlan => {
    const most = (graph: Outputs, sizes: Sizes, trains = false): number => {
      const { building, built, running } = needOf([graph], compute, sizes, { lowMemory, trains });
      return processBytes + Math.max(building, built + running);
    };
    const phases: MemoryPhase[] = [
      ...(text ? [{ name: "text encoder" as const, bytes: most(text, { batch: 1, tokens }) }] : []),
      {
        name: "encoder",
        bytes: most(encoder, pictureSizes(encoder, tiled ? tiles.size * pixelsPerLatent : resolution)),
      },
      {
        name: "training step",
        bytes: moments + most(step, { ...ranks, batch: rows, height: side, width: side, tokens }, true),
      },
    ];
    return { device, precision, resolution, rows, ...budgetOf(phases, device, memory), lowMemory, tiled };
  };
  const forms = [[false, false], ...(saving ? [[true, false]] : []), ...(large ? [[saving, true]] : [])] as [
    boolean,
    boolean,
  ][];
  return firstFitting(forms, (form) => planned(...form));
}

/** The most tokens of a training prompt, as far as the model leaves them open. */
const tokens = 300;

/** Elements of the tensors that are trained whole: AdamW keeps two moments of each, beside the graph's input and gradient. */
const wholeElements = ({ components }: Model, { matrices }: Trained): number =>
  [...matrices].reduce((sum, [component, keys]) => {
    const { weights } = components.get(component)!;
    return sum + [...keys].reduce((inner, key) => inner + weights.get(key)!.shape.reduce((a, b) => a * b, 1), 0);
  }, 0);

/** The names of the open ranks of a graph's adapters. */
const rankNames = (graph: Outputs): string[] =>
  [...inputsOf(graph).values()].flatMap(({ shape }) =>
    shape.flatMap((d) => (typeof d !== "number" && d.key.startsWith("rank of ") ? [d.key] : [])),
  );

/** The sizes of an encoder's graph for square pictures: its sides are `height`, or a multiple of it. */
function pictureSizes(graph: Outputs, resolution: number): Sizes {
  const height = inputsOf(graph).get("picture")!.shape[2]!;
  const times = typeof height === "number" ? 1 : ([...height.terms.values()][0] ?? 1);
  return { batch: 1, height: resolution / times, width: resolution / times };
}

/** One line: what training needs by phase, what the machine has, and how memory is saved. */
export const trainingPlanText = (plan: TrainingPlan): string =>
  budgetText(squared(plan), [
    ...(plan.lowMemory ? ["weights stay in their files"] : []),
    ...(plan.tiled ? ["pictures are encoded in tiles"] : []),
  ]);

/** The pictures are square. */
const squared = (plan: TrainingPlan) => ({ ...plan, width: plan.resolution, height: plan.resolution });

/** @throws TillerError `memory-short` if training does not fit, with the largest resolution that does, and how to go on anyway. */
export function refuseShortTraining(name: string, model: Model, plan: TrainingPlan, size: TrainingSize): void {
  const { fits, memory, resolution } = plan;
  if (fits || memory === undefined) return;
  const { sideMultiple } = model.defaults;
  const smaller = [0.75, 0.5, 0.25]
    .map((part) => Math.max(sideMultiple, Math.floor((resolution * part) / sideMultiple) * sideMultiple))
    .find((side) => planTraining(model, plan, { ...size, resolution: side }, memory).fits);
  const instead =
    smaller === undefined ? "no smaller resolution would fit" : `it would fit with --resolution ${smaller}`;
  throw memoryShort(`training ${name}`, squared(plan), memory, instead, name);
}
