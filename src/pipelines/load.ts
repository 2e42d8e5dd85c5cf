/** Opens the parts of a pipeline: model, adapters, tokenizer, engine. */
import { orAborted } from "../aborted.ts";
import { type Adapter, learnedTokens, readAdapter, tokenNames, trainingMethodOf } from "../adapters/index.ts";
import { sha256Of } from "../bytes/hash-file.ts";
import { TillerError } from "../errors/index.ts";
import type { Model } from "../families/family.ts";
import { openModel } from "../families/open-model.ts";
import type { HubOptions } from "../hub/options.ts";
import { modulesOf } from "../models/components.ts";
import type { AttentionForm } from "../models/unet.ts";
import type { AdapterStrength } from "../recipe/adapter-strength.ts";
import type { PictureRequest } from "../recipe/request.ts";
import { type DeviceName, type Engine, type PrecisionName, startEngine } from "../runtime/index.ts";
import { loadTokenizer, type Tokenizer } from "../text/tokenizer.ts";
import { type AdapterSpec, parseAdapter } from "./adapter-spec.ts";
import { refuseOtherComponents, refuseStrength } from "./adapter-strength.ts";
import { type Decoder, lazyDecoder } from "./decoder.ts";
import { defaultsWith } from "./defaults.ts";
import { drawingCompute } from "./drawing-compute.ts";
import { drawingSize } from "./drawing-size.ts";
import { type Encoder, lazyEncoder } from "./encoder.ts";
import { type DrawingSize, type MemoryPlan, plannerOf, type Tiling } from "./memory-plan.ts";
import { refuseShort } from "./memory-text.ts";
import { buildPredictor, type Predictor } from "./predictor.ts";

/** Progress of loading. */
export interface LoadProgress {
  /** What is being done, in words. */
  readonly what: string;
  /** Bytes downloaded so far. */
  readonly loaded?: number;
  /** Bytes of the whole download. */
  readonly total?: number;
}

/** What is loaded besides the model, and where it runs. */
export interface LoadOptions {
  /** Files or hub ids of LoRA, Custom Diffusion and textual inversion, each with a strength (default 1). */
  readonly adapters?: readonly AdapterSpec[] | undefined;
  /** The pre-trained model, when the model itself is a full fine-tune of it. */
  readonly base?: string | undefined;
  /** Which variant of the weights to use, such as `fp16`. */
  readonly variant?: string | undefined;
  /** Where a single-file model's tokenizer and configs come from: a Diffusers folder or a hub id. */
  readonly config?: string | undefined;
  /** What the network predicts, if its files do not say so or are wrong. */
  readonly prediction?: "epsilon" | "v_prediction" | undefined;
  /** The device to run on: `auto` by default, which takes a GPU if one works. */
  readonly device?: DeviceName | undefined;
  /** The number type of matrix products: float32 by default. */
  readonly precision?: PrecisionName | undefined;
  /**
   * Self-attention at the largest resolution: `exact` by default; `averaged` averages its keys and values over 2x2 pixels,
   * which is faster but changes the pictures.
   */
  readonly attention?: AttentionForm | undefined;
  /** Bytes of memory to plan with: the machine's by default, or its container's limit. */
  readonly memory?: number | undefined;
  /** Whether large pictures are decoded in tiles, which changes them slightly: if memory asks for it (`auto`, the default), `on` or `off`. */
  readonly tiling?: Tiling | undefined;
  /** What will be drawn, as far as it is known, so that memory is planned for it, and refused if it does not fit, before loading. */
  readonly drawing?: Pick<PictureRequest, "width" | "height" | "count" | "guidance" | "image"> | undefined;
  /** Called with the plan of memory before anything is loaded. */
  readonly onPlan?: ((plan: MemoryPlan) => void) | undefined;
  /** Threads per operator; by default one per core. */
  readonly threads?: number | undefined;
  /** Record the time of every operator; `close` returns it. */
  readonly profile?: boolean | undefined;
  /** Called with the bytes of a download, or with the stage of loading that begins. */
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
  /** Aborts loading; the signal's reason is thrown. */
  readonly signal?: AbortSignal | undefined;
}

export interface OpenAdapter {
  readonly adapter: Adapter;
  readonly file: string;
  readonly strength: AdapterStrength;
  readonly sha256?: string | undefined;
}

export interface Parts {
  /** As the caller named it. */
  readonly name: string;
  readonly options: LoadOptions;
  readonly model: Model;
  readonly base: Model | undefined;
  readonly engine: Engine;
  readonly predictor: Predictor;
  readonly decoder: Decoder;
  readonly encoder: Encoder;
  readonly tokenizer: Tokenizer;
  /** The plan of a drawing's memory, in the form that was loaded. @throws TillerError `memory-short` if it does not fit. */
  planned(size: DrawingSize): Promise<MemoryPlan>;
  readonly adapters: readonly OpenAdapter[];
  setAdapters(specs: readonly AdapterSpec[]): Promise<void>;
}

export async function loadParts(name: string, options: LoadOptions): Promise<Parts> {
  const { variant, config, prediction, onProgress, signal } = options;
  const download: HubOptions = {
    signal,
    onProgress: ({ file, received, total }) => onProgress?.({ what: `downloading ${file}`, loaded: received, total }),
  };
  const open = (which: string, base?: string) => openModel(which, { ...download, variant, config, prediction, base });
  const model = await open(name, options.base);
  const base = options.base === undefined ? undefined : await open(options.base);
  const tokenizer = await loadTokenizer(model.tokenizerFolder, model.secondTokenizerFolder);
  let adapters = await openAdapters(options.adapters ?? [], model, download);
  signal?.throwIfAborted();

  const { memory, tiling, attention, threads, profile } = options;
  const planner = plannerOf(model, { memory, tiling, withBase: base !== undefined }, attention);
  const usual = defaultsWith(
    model.defaults,
    adapters.map(({ adapter }) => trainingMethodOf(adapter.metadata)),
    base !== undefined,
  );
  const size = drawingSize(model, usual, options.drawing);
  const compute = await drawingCompute(model, options, planner, size);
  const plan = planner.plan(compute, size);
  // A smaller picture may fit, so what is not known yet is refused when it is drawn.
  if (options.drawing) await refuseShort(plan, { name, model, planner, size });
  options.onPlan?.(plan);
  const { textReleased, lowMemory } = plan;
  const engine = await startEngine({ ...compute, threads, profile, lowMemory });
  try {
    onProgress?.({ what: "building the networks" });
    const building = Promise.all([
      buildPredictor(engine, model, base, adapters, { attention, apart: textReleased }),
      // Built for the first picture, after all its steps.
      engine.check(model.latents.decode(modulesOf(model.components))),
    ]);
    const [predictor] = await orAborted(building, signal);
    return {
      name,
      options,
      model,
      base,
      engine,
      predictor,
      decoder: lazyDecoder(engine, model),
      encoder: lazyEncoder(engine, model),
      tokenizer,
      async planned(drawn) {
        const own = planner.plan(compute, drawn, { textReleased, lowMemory });
        await refuseShort(own, { name, model, planner, size: drawn });
        return own;
      },
      get adapters() {
        return adapters;
      },
      async setAdapters(specs) {
        const next = await openAdapters(specs, model, download);
        await predictor.setAdapters(next);
        adapters = next;
      },
    };
  } catch (error) {
    await engine.close();
    throw error;
  }
}

async function openAdapters(specs: readonly AdapterSpec[], model: Model, download: HubOptions): Promise<OpenAdapter[]> {
  const opened: OpenAdapter[] = [];
  for (const spec of specs) {
    const { file, strength = 1 } = typeof spec === "string" ? parseAdapter(spec) : spec;
    const adapter = await readAdapter(file, model, download);
    refuseSameTokens(opened, adapter, file);
    refuseOtherComponents(file, strength, model.steered);
    refuseStrength(adapter, file, strength);
    opened.push({ adapter, file, strength, sha256: await sha256Of(adapter.file) });
  }
  return opened;
}

/** A token can stand for one adapter's embedding only; tokens are compared without regard to case. */
function refuseSameTokens(opened: readonly OpenAdapter[], adapter: Adapter, file: string): void {
  const tokens = new Set(tokenNames(learnedTokens([adapter])).map((token) => token.toLowerCase()));
  for (const other of opened) {
    const same = tokenNames(learnedTokens([other.adapter])).find((token) => tokens.has(token.toLowerCase()));
    if (same === undefined) continue;
    throw new TillerError(
      "token-defined-twice",
      `the adapters ${other.file} and ${file} both define the token ${same}: use only one of them.`,
      { paths: [other.file, file] },
    );
  }
}
