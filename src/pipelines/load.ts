/** Opens what a pipeline is made of: model, adapters, tokenizer, engine. */
import { exists } from "#bytes";
import { type Adapter, readAdapter } from "../adapters/index.ts";
import { sha256Of } from "../bytes/hash-file.ts";
import { UsageError } from "../errors.ts";
import { type ModelSource, openModel } from "../families/model-source.ts";
import { clipTextConfig } from "../models/clip-text.ts";
import { unetConfig } from "../models/unet.ts";
import { type DeviceName, type Engine, resolveDevice, startEngine } from "../runtime/index.ts";
import { loadTokenizer, type Tokenizer } from "../text/tokenizer.ts";
import { type Decoder, lazyDecoder } from "./decoder.ts";
import { buildPredictor, type Predictor } from "./predictor.ts";

export type AdapterSpec = string | { readonly file: string; readonly strength?: number | undefined };

export interface LoadOptions {
  /** LoRA, Custom Diffusion and textual inversion files, each with a strength (default 1). */
  readonly adapters?: readonly AdapterSpec[] | undefined;
  /** The pre-trained model, when the model itself is a full fine-tune of it. */
  readonly base?: string | undefined;
  /** Which spelling of the weights to take, such as `fp16`. */
  readonly variant?: string | undefined;
  /** Where a single-file model's tokenizer and configs come from: a Diffusers folder or a hub id. */
  readonly config?: string | undefined;
  readonly device?: DeviceName | undefined;
  readonly threads?: number | undefined;
  /** Record the time of every operator; `close` returns it. */
  readonly profile?: boolean | undefined;
  /** Told what takes long: bytes of a download, or the step of loading that begins. */
  readonly onProgress?: ((progress: { what: string; loaded?: number; total?: number }) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface OpenAdapter {
  readonly adapter: Adapter;
  readonly file: string;
  readonly strength: number;
  readonly sha256?: string | undefined;
}

export interface Parts {
  /** As the caller named it. */
  readonly model: string;
  readonly options: LoadOptions;
  readonly base: ModelSource | undefined;
  readonly engine: Engine;
  readonly predictor: Predictor;
  readonly decoder: Decoder;
  readonly tokenizer: Tokenizer;
  /** Positions of the text encoder, and the rows of its embedding table. */
  readonly positions: number;
  readonly vocabulary: number;
  readonly scheduler: Readonly<Record<string, unknown>>;
  /** Pixels the model was trained at. */
  readonly nativeSize: { readonly width: number; readonly height: number };
  readonly adapters: readonly OpenAdapter[];
  setAdapters(specs: readonly AdapterSpec[]): Promise<void>;
}

export async function loadParts(model: string, options: LoadOptions): Promise<Parts> {
  const { variant, config, onProgress, signal } = options;
  const open = (name: string) =>
    openModel(name, {
      variant,
      config,
      signal,
      onProgress: ({ file, received, total }) => onProgress?.({ what: `downloading ${file}`, loaded: received, total }),
    });
  const source = await open(model);
  const base = options.base === undefined ? undefined : await open(options.base);
  const tokenizer = await loadTokenizer(source.tokenizerFolder);
  let adapters = await openAdapters(options.adapters ?? [], source);
  signal?.throwIfAborted();

  const device = await resolveDevice(options.device ?? "auto");
  const engine = await startEngine({ device, threads: options.threads, profile: options.profile });
  try {
    onProgress?.({ what: "building the networks" });
    const predictor = await buildPredictor(engine, source, base, adapters);
    const decoder = lazyDecoder(engine, source.vae);
    const { sample_size: size } = unetConfig(source.unet.config);
    const [height, width] = typeof size === "object" && size !== null ? size : [size ?? 64, size ?? 64];
    return {
      model,
      options,
      base,
      engine,
      predictor,
      decoder,
      tokenizer,
      positions: clipTextConfig(source.textEncoder.config).max_position_embeddings,
      vocabulary: source.textEncoder.weights.get("text_model.embeddings.token_embedding.weight")!.shape[0]!,
      scheduler: source.scheduler,
      nativeSize: { width: width! * decoder.pixelsPerLatent, height: height! * decoder.pixelsPerLatent },
      get adapters() {
        return adapters;
      },
      async setAdapters(specs) {
        const next = await openAdapters(specs, source);
        await predictor.setAdapters(next);
        adapters = next;
      },
    };
  } catch (error) {
    await engine.close();
    throw error;
  }
}

async function openAdapters(specs: readonly AdapterSpec[], source: ModelSource): Promise<OpenAdapter[]> {
  const opened: OpenAdapter[] = [];
  for (const spec of specs) {
    const { file, strength } = typeof spec === "string" ? await splitStrength(spec) : { strength: 1, ...spec };
    const adapter = await readAdapter(file, { unet: source.unet.weights, textEncoder: source.textEncoder.weights });
    refuseSameTokens(opened, adapter, file);
    opened.push({ adapter, file, strength: strength ?? 1, sha256: await sha256Of(adapter.file) });
  }
  return opened;
}

/** A prompt's word stands for one adapter's embedding only; case does not tell tokens apart. */
function refuseSameTokens(opened: readonly OpenAdapter[], adapter: Adapter, file: string): void {
  const tokens = new Set([...adapter.tokens.keys()].map((token) => token.toLowerCase()));
  for (const other of opened) {
    const same = [...other.adapter.tokens.keys()].find((token) => tokens.has(token.toLowerCase()));
    if (same === undefined) continue;
    throw new UsageError(`the adapters ${other.file} and ${file} both define the token ${same}: give one of them only`);
  }
}

/** `file` or `file:strength`; a name that exists as it stands is a file, colon or not. */
export async function splitStrength(spec: string): Promise<{ file: string; strength: number }> {
  const [, file, strength] = /^(.+):([-+]?[\d.]+(?:e[-+]?\d+)?)$/i.exec(spec) ?? [];
  if ((await exists(spec)) || file === undefined) return { file: spec, strength: 1 };
  if (!Number.isFinite(Number(strength))) throw new UsageError(`adapter ${spec}: ${strength} is not a strength`);
  return { file, strength: Number(strength) };
}
