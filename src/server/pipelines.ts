/** The pipeline in use: one at a time, kept from job to job while the model is the same. */
import { type DeviceName, Pipeline } from "../index.ts";

export interface Pipelines {
  /** The pipeline of a model with these adapters. */
  get(model: string, adapters: readonly { file: string; strength: number }[], signal?: AbortSignal): Promise<Pipeline>;
  /** Gives its memory back. */
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
          // What it has now is anyone's guess.
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
