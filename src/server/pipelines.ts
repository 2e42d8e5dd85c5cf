/** Keeps one pipeline, reused by the next job if the model is the same. */
import { type DeviceName, Pipeline } from "../index.ts";

export interface Pipelines {
  /** The pipeline for a model with these adapters. */
  get(model: string, adapters: readonly { file: string; strength: number }[], signal?: AbortSignal): Promise<Pipeline>;
  /** Closes the pipeline and frees its memory. */
  close(): Promise<void>;
}

export function keepPipelines(options: { device?: DeviceName | undefined; threads?: number | undefined }): Pipelines {
  let kept: { model: string; adapters: string; pipeline: Pipeline } | undefined;
  const close = async () => {
    const old = kept;
    kept = undefined;
    await old?.pipeline.close();
  };
  return {
    async get(model, adapters, signal) {
      const wanted = JSON.stringify(adapters);
      if (kept?.model !== model) {
        await close();
        kept = { model, adapters: wanted, pipeline: await Pipeline.load(model, { ...options, adapters, signal }) };
      } else if (kept.adapters !== wanted) {
        try {
          await kept.pipeline.setAdapters(adapters);
        } catch (error) {
          // Its adapters are in an unknown state.
          await close();
          throw error;
        }
        kept.adapters = wanted;
      }
      return kept.pipeline;
    },
    close,
  };
}
