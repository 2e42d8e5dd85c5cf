/** A memory plan in words, and the refusal of a run that does not fit. */
import { TillerError } from "../errors/index.ts";
import type { Model } from "../families/family.ts";
import { type Compute, type PrecisionName, resolveCompute } from "../runtime/index.ts";
import { type Budget, type DrawingSize, type MemoryPlan, type Planner, share } from "./memory-plan.ts";

/** GiB, to a tenth. */
const gibibytes = (bytes: number): string => (bytes / 2 ** 30).toFixed(1);

/** One line: what a drawing needs by phase, what the machine has, and how memory is saved. */
export const memoryText = (plan: MemoryPlan): string =>
  budgetText(plan, [
    ...(plan.textReleased ? ["the text encoder is released before the denoiser is built"] : []),
    ...(plan.lowMemory ? ["weights stay in their files"] : []),
    ...(plan.tiled ? ["pictures are decoded in tiles"] : []),
  ]);

/** What a budget is for. */
type Budgeted = Budget & Pick<MemoryPlan, "width" | "height" | "precision">;

/** One line: a budget by phase, and how memory is saved. */
export function budgetText(
  { phases, bytes, memory, width, height, precision }: Budgeted,
  saving: readonly string[],
): string {
  const of = memory === undefined ? `${gibibytes(bytes)} GiB` : `${gibibytes(bytes)} of ${gibibytes(memory)} GiB`;
  const each = phases.map((phase) => `${phase.name} ${gibibytes(phase.bytes)}`).join(", ");
  const how = saving.length === 0 ? "" : `; to save it, ${saving.join(" and ")}`;
  return `memory at ${width} x ${height} in ${precision}: about ${of} (${each})${how}`;
}

/** The refusal of what does not fit into `memory`: `instead` says what would. */
export function memoryShort(
  what: string,
  { phases, bytes, width, height, precision }: Budgeted,
  memory: number,
  instead: string,
  path: string,
): TillerError {
  const largest = phases.reduce((a, b) => (b.bytes > a.bytes ? b : a));
  return new TillerError(
    "memory-short",
    `${what} at ${width} x ${height} in ${precision} needs about ${gibibytes(bytes)} GiB for its ` +
      `${largest.name}, more than the ${gibibytes(share * memory)} GiB that a run may take of ${gibibytes(memory)}: ` +
      `${instead}; --memory ${Math.ceil(bytes / share / 2 ** 30)} goes on anyway.`,
    { paths: [path] },
  );
}

/** What a refusal needs to say what would fit. */
interface Refusable {
  /** The user's name for the model. */
  readonly name: string;
  readonly model: Model;
  readonly planner: Planner;
  readonly size: DrawingSize;
}

/** @throws TillerError `memory-short` if the plan does not fit, with what would, and how to go on anyway. */
export async function refuseShort(plan: MemoryPlan, refusable: Refusable): Promise<void> {
  const { fits, memory } = plan;
  if (fits || memory === undefined) return;
  const would = await whatFits(plan, refusable);
  const instead = would.length === 0 ? "nothing smaller would fit" : `it would fit ${would.join(", or ")}`;
  throw memoryShort(refusable.name, plan, memory, instead, refusable.name);
}

/** Other precisions, tiles and smaller sizes in which the drawing would fit, as options. */
async function whatFits(plan: MemoryPlan, { model, planner, size }: Refusable): Promise<string[]> {
  const found: string[] = [];
  if (planner.plan(plan, size, {}, "auto").fits) found.push("with --tiling auto");
  for (const precision of ["bfloat16", "int8"] as const) {
    const other = precision === plan.precision ? undefined : await computeIn(precision);
    if (other && planner.plan(other, size).fits) found.push(`with --precision ${precision}`);
  }
  const { sideMultiple } = model.defaults;
  for (const part of [0.75, 0.5, 0.25]) {
    const side = (length: number) => Math.max(sideMultiple, Math.floor((length * part) / sideMultiple) * sideMultiple);
    const [width, height] = [side(size.width), side(size.height)];
    if (!planner.plan(plan, { ...size, width, height }).fits) continue;
    found.push(`with --width ${width} --height ${height}`);
    break;
  }
  return found;
}

/** The device for a number type; undefined if this machine has none. */
const computeIn = (precision: PrecisionName): Promise<Compute | undefined> =>
  resolveCompute({ precision }).catch((error: unknown) => {
    if (error instanceof TillerError) return undefined;
    throw error;
  });
