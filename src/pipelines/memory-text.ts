/** A memory plan in words, and the refusal of a run that does not fit. */
import { TillerError } from "../errors/index.ts";
import type { Model } from "../families/family.ts";
import { type Compute, type PrecisionName, resolveCompute } from "../runtime/index.ts";
import { type DrawingSize, type MemoryPlan, type Planner, share } from "./memory-plan.ts";

/** GiB, to a tenth. */
export const gibibytes = (bytes: number): string => (bytes / 2 ** 30).toFixed(1);

/** One line: what a drawing needs by phase, what the machine has, and how memory is saved. */
export function memoryText(plan: MemoryPlan): string {
  const { phases, bytes, memory, textReleased, lowMemory, tiled, width, height } = plan;
  const of = memory === undefined ? `${gibibytes(bytes)} GiB` : `${gibibytes(bytes)} of ${gibibytes(memory)} GiB`;
  const each = phases.map((phase) => `${phase.name} ${gibibytes(phase.bytes)}`).join(", ");
  const saving = [
    ...(textReleased ? ["the text encoder is released before the denoiser is built"] : []),
    ...(lowMemory ? ["weights stay in their files"] : []),
    ...(tiled ? ["pictures are decoded in tiles"] : []),
  ];
  const how = saving.length === 0 ? "" : `; to save it, ${saving.join(" and ")}`;
  return `memory at ${width} x ${height} in ${plan.precision}: about ${of} (${each})${how}`;
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
  const { fits, memory, bytes, phases, precision, width, height } = plan;
  if (fits || memory === undefined) return;
  const largest = phases.reduce((a, b) => (b.bytes > a.bytes ? b : a));
  const would = await whatFits(plan, refusable);
  const instead = would.length === 0 ? "nothing smaller would fit" : `it would fit ${would.join(", or ")}`;
  throw new TillerError(
    "memory-short",
    `${refusable.name} at ${width} x ${height} in ${precision} needs about ${gibibytes(bytes)} GiB for its ` +
      `${largest.name}, more than the ${gibibytes(share * memory)} GiB that a run may take of ${gibibytes(memory)}: ` +
      `${instead}; --memory ${Math.ceil(bytes / share / 2 ** 30)} goes on anyway.`,
    { paths: [refusable.name] },
  );
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
