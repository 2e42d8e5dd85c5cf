/** All that the command line touches outside itself, so that a test can stand in for it. */
import type { Device, DeviceName, FullRequest, OperatorTime, Recipe, Request } from "../index.ts";

export interface World {
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean };
  /** Aborted by the first Ctrl-C. */
  readonly signal: AbortSignal;
  loadPipeline(model: string, options: LoadOptions): Promise<PipelineLike>;
  probeDevice(device: Device): Promise<{ ok: boolean; detail: string }>;
}

/** What the command line asks of `Pipeline.load`. */
export interface LoadOptions {
  adapters?: readonly AdapterChoice[];
  base?: string;
  variant?: string;
  config?: string;
  device?: DeviceName;
  threads?: number;
  profile?: boolean;
  onProgress?: (progress: LoadProgress) => void;
  signal?: AbortSignal;
}

export interface AdapterChoice {
  file: string;
  strength?: number;
}

export interface LoadProgress {
  what: string;
  loaded?: number;
  total?: number;
}

/** What the command line asks of a `Pipeline`. */
export interface PipelineLike {
  generate(request: Request, options?: { signal?: AbortSignal }): AsyncGenerator<GenerateEvent>;
  readonly sessionsBuilt: number;
  readonly device: string;
  // biome-ignore lint/suspicious/noConfusingVoidType: a pipeline that was not profiled has nothing to say.
  close(): Promise<readonly OperatorTime[] | void>;
}

interface Pixels {
  width: number;
  height: number;
  data: Uint8Array;
}

export type GenerateEvent =
  | { type: "warning"; message: string }
  | {
      type: "step";
      step: number;
      steps: number;
      picture: number;
      batch: number;
      rows: number;
      preview(): Promise<Pixels[]>;
    }
  | ({ type: "picture"; index: number; seed: number; recipe: Recipe } & Pixels);

export type { FullRequest };
