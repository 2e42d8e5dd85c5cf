/** All that the command line touches outside itself, so that a test can stand in for it. */
import type { Device, LoadOptions, Pipeline, train } from "../index.ts";

export interface World {
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean };
  /** Aborted by the first Ctrl-C. */
  readonly signal: AbortSignal;
  loadPipeline(model: string, options: LoadOptions): Promise<LoadedPipeline>;
  readonly train: typeof train;
  probeDevice(device: Device): Promise<{ ok: boolean; detail: string }>;
}

/** What the command line asks of a `Pipeline`. */
export type LoadedPipeline = Pick<
  Pipeline,
  "generate" | "defaults" | "sessionsBuilt" | "device" | "precision" | "close"
>;
