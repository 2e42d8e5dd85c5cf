/** Keeps one pipeline, reused by the next job if model and precision are the same. */
import { type AdapterStrength, type DeviceName, type LoadOptions, Pipeline, type PrecisionName } from "../index.ts";

export interface Pipelines {
  /** The pipeline for a model, and for its base if there is one, with these adapters, in this precision. */
  get(
    models: { readonly model: string; readonly base: string | undefined },
    adapters: readonly { file: string; strength: AdapterStrength }[],
    precision: PrecisionName | undefined,
    /** What is drawn, to plan memory for, and who is told the plan if the model has to be loaded. */
    job: Pick<LoadOptions, "drawing" | "onPlan">,
    signal?: AbortSignal,
  ): Promise<Pipeline>;
  /** Closes the pipeline and frees its memory. */
  close(): Promise<void>;
}

export function keepPipelines(options: { device?: DeviceName | undefined; threads?: number | undefined }): Pipelines {
  let kept: { loaded: string; adapters: string; pipeline: Pipeline } | undefined;
  const close = async () => {
    const old = kept;
    kept = undefined;
    await old?.pipeline.close();
  };
  return {
    async get({ model, base }, adapters, precision, job, signal) {
      const wanted = JSON.stringify(adapters);
      const loaded = JSON.stringify([model, base, precision]);
      if (kept?.loaded !== loaded) {
        await close();
        const pipeline = await Pipeline.load(model, { ...options, ...job, base, precision, adapters, signal });
        kept = { loaded, adapters: wanted, pipeline };
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
