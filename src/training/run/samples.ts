/** What the adapter draws while it is being trained. */
import { join, makeFolder } from "#bytes";
import { writeWhole } from "../../bytes/write-whole.ts";
import type { LoadOptions } from "../../pipelines/load.ts";
import { Pipeline } from "../../pipelines/pipeline.ts";
import { encodePng } from "../../recipe/png.ts";
import type { TrainingSettings } from "./options.ts";

export interface Sampler {
  /** Draws every sample prompt with the adapters; the files are named by step. */
  draw(adapters: readonly string[], step: number): Promise<string[]>;
  close(): Promise<void>;
}

/** The model is opened when the first samples are due and stays open. */
export function sampler(settings: TrainingSettings, folder: string, resolution: number, load: LoadOptions): Sampler {
  let pipeline: Pipeline | undefined;
  return {
    async draw(adapters, step) {
      if (pipeline) await pipeline.setAdapters(adapters);
      else pipeline = await Pipeline.load(settings.model, { ...load, adapters });
      await makeFolder(folder);
      const files: string[] = [];
      for (const [index, prompt] of (settings.samplePrompts ?? [settings.prompt]).entries()) {
        const request = { prompt, seed: settings.seed, steps: 25, width: resolution, height: resolution };
        for await (const event of pipeline.generate(request, { signal: load.signal })) {
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
