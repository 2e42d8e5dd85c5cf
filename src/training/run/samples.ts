/** Samples drawn with the adapter or network during training. */
import { join, makeFolder } from "#bytes";
import { writeWhole } from "../../bytes/write-whole.ts";
import type { LoadOptions } from "../../pipelines/load.ts";
import { Pipeline } from "../../pipelines/pipeline.ts";
import { encodePng } from "../../recipe/png.ts";
import type { TrainingSettings } from "./options.ts";
import type { Saved } from "./saved.ts";

export interface Sampler {
  /** Draws every sample prompt with what was saved; the files are named by training step. Yields after each sampler step. */
  draw(saved: Pick<Saved, "adapters" | "network">, step: number): AsyncGenerator<void, string[], undefined>;
  close(): Promise<void>;
}

/** Sampler steps of a sample. */
const sampleSteps = 25;

/** Sampler steps of all of a run's samples up to a training step. */
export const stepsOfSamples = ({ sampleEvery, samplePrompts }: TrainingSettings, step: number): number =>
  sampleEvery === undefined ? 0 : Math.floor(step / sampleEvery) * (samplePrompts?.length ?? 1) * sampleSteps;

/** The model is opened for the first samples and stays open; a network trained whole is opened anew. */
export function sampler(settings: TrainingSettings, folder: string, resolution: number, load: LoadOptions): Sampler {
  let pipeline: Pipeline | undefined;
  return {
    async *draw({ adapters, network }, step) {
      if (network !== undefined) {
        await pipeline?.close();
        pipeline = undefined;
        pipeline = await Pipeline.load(network, { ...load, base: settings.model });
      } else if (pipeline) await pipeline.setAdapters(adapters);
      else pipeline = await Pipeline.load(settings.model, { ...load, adapters });
      await makeFolder(folder);
      const files: string[] = [];
      for (const [index, prompt] of (settings.samplePrompts ?? [settings.prompt]).entries()) {
        const request = { prompt, seed: settings.seed, steps: sampleSteps, width: resolution, height: resolution };
        for await (const event of pipeline.generate(request, { signal: load.signal })) {
          if (event.type === "step") yield;
          if (event.type !== "picture") continue;
          const file = join(folder, `step-${String(step).padStart(6, "0")}-${index}.png`);
          await writeWhole(file, await encodePng(event, event.recipe));
          files.push(file);
        }
      }
      return files;
    },
    close: async () => void (await pipeline?.close()),
  };
}
