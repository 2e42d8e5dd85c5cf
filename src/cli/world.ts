/** Everything outside that the command line uses, so that tests can replace it. */
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

/** The parts of `Pipeline` that the command line uses. */
export type LoadedPipeline = Pick<
  Pipeline,
  "generate" | "defaults" | "sessionsBuilt" | "device" | "precision" | "close"
>;
