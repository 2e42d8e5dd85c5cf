/** Plans a training run's memory before anything is built. */
import { TillerError } from "../../errors/index.ts";
import type { Model } from "../../families/family.ts";
import { inputsOf, type Outputs } from "../../graph/index.ts";
import { modulesOf } from "../../models/components.ts";
import { needOf, type Sizes } from "../../pipelines/memory-need.ts";
import { type MemoryPhase, processBytes, share } from "../../pipelines/memory-plan.ts";
import { gibibytes } from "../../pipelines/memory-text.ts";
import { isTiled } from "../../pipelines/tiles.ts";
import { type Compute, totalMemory } from "../../runtime/index.ts";
import { denoisingLoss, withGradients } from "../objective/losses.ts";
import { type Trained, trainsText } from "../objective/trained.ts";

/** What training needs, how it will be computed, and what the machine has. */
export interface TrainingPlan extends Compute {
  /** Side of the training pictures, in pixels. */
  readonly resolution: number;
  /** Pictures of a step: instance and class images. */
  readonly rows: number;
  /** In the order in which they run. */
  readonly phases: readonly MemoryPhase[];
  /** The largest of the phases' bytes. */
  readonly bytes: number;
  /** Bytes of memory planned with; absent if unknown. */
  readonly memory?: number | undefined;
  /** Whether it fits into memory, of which a fifth is left to other programs; true if memory is unknown. */
  readonly fits: boolean;
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
  const known = device === "cpu" || device === "openvino" ? memory : undefined;
  const ranks = Object.fromEntries(rankNames(step).map((name) => [name, trained.rank]));

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
        bytes: most(step, { ...ranks, batch: rows, height: side, width: side, tokens }, true),
      },
    ];
    const bytes = Math.max(...phases.map((phase) => phase.bytes));
    const fits = known === undefined || bytes <= share * known;
    return { device, precision, resolution, rows, phases, bytes, memory: known, fits, lowMemory, tiled };
  };
  const forms = [[false, false], ...(saving ? [[true, false]] : []), ...(large ? [[saving, true]] : [])] as [
    boolean,
    boolean,
  ][];
  let plan: TrainingPlan | undefined;
  for (const form of forms) {
    plan = planned(...form);
    if (plan.fits) break;
  }
  return plan!;
}

/** The most tokens of a training prompt, as far as the model leaves them open. */
const tokens = 300;

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
export function trainingPlanText({
  phases,
  bytes,
  memory,
  resolution,
  precision,
  lowMemory,
  tiled,
}: TrainingPlan): string {
  const of = memory === undefined ? `${gibibytes(bytes)} GiB` : `${gibibytes(bytes)} of ${gibibytes(memory)} GiB`;
  const each = phases.map((phase) => `${phase.name} ${gibibytes(phase.bytes)}`).join(", ");
  const saving = [
    ...(lowMemory ? ["weights stay in their files"] : []),
    ...(tiled ? ["pictures are encoded in tiles"] : []),
  ];
  const how = saving.length === 0 ? "" : `; to save it, ${saving.join(" and ")}`;
  return `memory at ${resolution} x ${resolution} in ${precision}: about ${of} (${each})${how}`;
}

/** @throws TillerError `memory-short` if training does not fit, with the largest resolution that does, and how to go on anyway. */
export function refuseShortTraining(name: string, model: Model, plan: TrainingPlan, size: TrainingSize): void {
  const { fits, memory, bytes, phases, precision, resolution } = plan;
  if (fits || memory === undefined) return;
  const largest = phases.reduce((a, b) => (b.bytes > a.bytes ? b : a));
  const { sideMultiple } = model.defaults;
  const smaller = [0.75, 0.5, 0.25]
    .map((part) => Math.max(sideMultiple, Math.floor((resolution * part) / sideMultiple) * sideMultiple))
    .find((side) => planTraining(model, plan, { ...size, resolution: side }, memory).fits);
  const instead =
    smaller === undefined ? "no smaller resolution would fit" : `it would fit with --resolution ${smaller}`;
  throw new TillerError(
    "memory-short",
    `training ${name} at ${resolution} x ${resolution} in ${precision} needs about ${gibibytes(bytes)} GiB for its ` +
      `${largest.name}, more than the ${gibibytes(share * memory)} GiB that a run may take of ${gibibytes(memory)}: ` +
      `${instead}; --memory ${Math.ceil(bytes / share / 2 ** 30)} goes on anyway.`,
    { paths: [name] },
  );
}
