/** Plans a drawing's memory before anything is loaded: what each phase needs, and which form of it fits into memory. */
import type { Model } from "../families/family.ts";
import type { AttentionForm } from "../models/unet.ts";
import { type Compute, isOpenVino, totalMemory } from "../runtime/index.ts";
import { type DrawingGraphs, drawingGraphs, type NetworkName, needOf } from "./memory-need.ts";
import { isTiled } from "./tiles.ts";

/** When the autoencoder runs tile by tile: if memory asks for it, always (above the size of a tile), or never. */
export type Tiling = "auto" | "on" | "off";

/** Ways to compute in less memory, in the order in which they are taken. */
export interface MemoryForm {
  /** The text encoder is released before the denoiser is built; every request builds both again. */
  readonly textReleased: boolean;
  /** Weights stay in their mapped files and are converted at each use. */
  readonly lowMemory: boolean;
  /** The autoencoder runs in tiles, which changes the picture slightly. */
  readonly tiled: boolean;
}

/** A phase of a run, and the most memory of the process during it. */
export interface MemoryPhase {
  /** The network that runs. */
  readonly name: NetworkName | "training step";
  /** Estimated bytes, with whatever stays loaded besides. */
  readonly bytes: number;
}

/** What a run needs and what the machine has. */
export interface Budget {
  /** In the order in which they run. */
  readonly phases: readonly MemoryPhase[];
  /** The largest of the phases' bytes. */
  readonly bytes: number;
  /** Bytes of memory planned with: this machine's or the container's, or as asked; absent if unknown. */
  readonly memory?: number | undefined;
  /** Whether it fits into memory, of which a fifth is left to other programs; true if memory is unknown. */
  readonly fits: boolean;
}

/** What a drawing needs, how it will be computed, and what the machine has. */
export interface MemoryPlan extends MemoryForm, Compute, Budget {
  /** Pixels. */
  readonly width: number;
  /** Pixels. */
  readonly height: number;
  /** Rows through the denoiser at once: pictures times the rows of the guidance method. */
  readonly rows: number;
}

/** What is drawn at once. */
export interface DrawingSize {
  readonly width: number;
  readonly height: number;
  /** Pictures computed together. */
  readonly pictures: number;
  /** Rows of the guidance method. */
  readonly rows: number;
  /** Whether they begin from a picture. */
  readonly encodes?: boolean | undefined;
}

/** What a plan depends on besides the model. */
export interface PlanOptions {
  /** Bytes of memory to plan with; by default the machine's, or the container's limit. */
  readonly memory?: number | undefined;
  /** Whether the autoencoder runs in tiles. */
  readonly tiling?: Tiling | undefined;
  /** Whether a second denoiser is blended with the first. */
  readonly withBase?: boolean | undefined;
}

/** Plans drawings with one model; its graphs are recorded once. */
export interface Planner {
  /** The first form that fits; of those with the `given` choices only, if any. The last form if none fits. */
  plan(compute: Compute, size: DrawingSize, given?: Partial<MemoryForm>, tiling?: Tiling): MemoryPlan;
}

/** The share of memory that a plan may take; the rest is for other programs. */
export const share = 0.8;
/** Holds phases against `memory`; of a GPU nothing is known here. */
export function budgetOf(
  phases: readonly MemoryPhase[],
  device: Compute["device"],
  memory: number | undefined,
): Budget {
  const bytes = Math.max(...phases.map((phase) => phase.bytes));
  const known = device === "cpu" || device === "openvino" ? memory : undefined;
  return { phases, bytes, memory: known, fits: known === undefined || bytes <= share * known };
}

/** The plan of the first form that fits, else of the last. */
export function firstFitting<F, P extends Budget>(forms: readonly F[], planOf: (form: F) => P): P {
  let plan: P | undefined;
  for (const form of forms) {
    plan = planOf(form);
    if (plan.fits) break;
  }
  return plan!;
}

/** The process itself, with the runtime's library. */
export const processBytes = 200e6;
/** The most tokens of a prompt, as far as the model leaves them open, with its instruction. */
const tokens = 512;

export function plannerOf(model: Model, options: PlanOptions = {}, attention?: AttentionForm): Planner {
  const graphs = drawingGraphs(model, attention);
  const { memory = totalMemory(), tiling: usual = "auto", withBase = false } = options;
  return {
    plan(compute, size, given = {}, tiling = usual) {
      const { pixelsPerLatent, tiles } = model.latents;
      const large = isTiled(size.height / pixelsPerLatent, size.width / pixelsPerLatent, tiles);
      const forms = formsOn(compute, tiling, large).filter((form) =>
        Object.entries(given).every(([name, value]) => form[name as keyof MemoryForm] === value),
      );
      const { width, height } = size;
      const rows = size.pictures * size.rows;
      const { device, precision } = compute;
      return firstFitting(forms, (form): MemoryPlan => {
        const budget = budgetOf(phasesOf(graphs, model, compute, size, form, withBase), device, memory);
        return { ...form, device, precision, width, height, rows, ...budget };
      });
    },
  };
}

/** The forms that a device has, the simplest first. */
function formsOn({ device, precision }: Compute, tiling: Tiling, large: boolean): MemoryForm[] {
  const saving = device === "cpu" && precision === "float32";
  const always = tiling === "on" && large;
  return [
    { textReleased: false, lowMemory: false, tiled: always },
    { textReleased: true, lowMemory: false, tiled: always },
    ...(saving ? [{ textReleased: false, lowMemory: true, tiled: always }] : []),
    ...(tiling === "auto" && large
      ? [
          { textReleased: false, lowMemory: false, tiled: true },
          { textReleased: true, lowMemory: false, tiled: true },
          ...(saving ? [{ textReleased: false, lowMemory: true, tiled: true }] : []),
        ]
      : []),
  ];
}

function phasesOf(
  graphs: DrawingGraphs,
  model: Model,
  compute: Compute,
  { width, height, pictures, rows, encodes = false }: DrawingSize,
  { textReleased, lowMemory, tiled }: MemoryForm,
  withBase: boolean,
): MemoryPhase[] {
  const { pixelsPerLatent, tiles } = model.latents;
  const [h, w] = [height / pixelsPerLatent, width / pixelsPerLatent];
  const texts = model.text.feeds ? 1 : rows;
  const side = (length: number) => (tiled ? Math.min(length, tiles.size) : length);
  const of = (name: NetworkName, sizes: Readonly<Record<string, number>>) =>
    needOf(graphs(name), compute, { ...sizes, tokens }, { lowMemory, quantised: name === "denoiser" });
  const text = of("text encoder", { batch: texts });
  const one = of("denoiser", { batch: pictures * rows, rows, height: h, width: w });
  const denoiser = withBase ? { ...one, built: 2 * one.built, building: one.built + one.building } : one;
  const decoder = of("decoder", { batch: 1, height: side(h), width: side(w) });
  const picture = 2 * 3 * 4 * width * height;

  // With an arena, what a network used while running stays with it; in the low form nothing stays but the file cache.
  const keeps = (need: typeof text) => (lowMemory || isOpenVino(compute.device) ? 0 : need.running);
  const most = (need: typeof text) => Math.max(need.building, need.built + need.running);
  const stays = (need: typeof text) => (lowMemory ? 0 : need.built + keeps(need));
  const loaded = textReleased ? 0 : stays(text);
  // Together, both are built when the model is loaded.
  const atText =
    textReleased || lowMemory ? most(text) : Math.max(most(text) + denoiser.built, text.built + denoiser.building);
  // A picture is encoded before its prompt; a second one, with what the first has left.
  const others = textReleased ? 0 : stays(text) + stays(denoiser);
  const encoding = (): MemoryPhase => {
    const encoder = of("encoder", { batch: 1, height: side(h) * pixelsPerLatent, width: side(w) * pixelsPerLatent });
    return { name: "encoder", bytes: processBytes + others + most(encoder) + picture };
  };
  return [
    ...(encodes ? [encoding()] : []),
    { name: "text encoder", bytes: processBytes + atText },
    { name: "denoiser", bytes: processBytes + loaded + most(denoiser) },
    { name: "decoder", bytes: processBytes + loaded + stays(denoiser) + most(decoder) + picture },
  ];
}
