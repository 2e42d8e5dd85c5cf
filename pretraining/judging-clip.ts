/**
 * Stage 3: the CLIP that judges goes its own way from the one whose text tower tells the U-Net what to draw, both its
 * towers learning on.
 *
 * Nearly all of a batch is in two groups of one theme each: the places are learned early, the kinds of subject late.
 */
import { join } from "node:path";
import { clipText, clipTextConfig } from "../src/models/clip-text.ts";
import { moduleOf } from "../src/models/module.ts";
import type { Tensor } from "../src/runtime/index.ts";
import { openCheckpoint } from "../src/weights/checkpoint.ts";
import { clip, clipFeeds, contrast, samplesOf, textConfig, visionConfig } from "./clip.ts";
import { readTensors } from "./read-tensors.ts";
import { openWeights, type Stage, type Workshop } from "./stage.ts";

/** No caption is longer: attention is causal, so that what follows a caption's end has no part in it. */
const positions = 20;

export const judgingSteps = 6000;

export async function judgingClip({ modelFolder }: Workshop): Promise<Stage> {
  const tensors = await readTensors(await openCheckpoint(join(modelFolder, "clip")));
  return {
    ...judging(tensors, visionConfig, clip.settings.steps),
    name: "judge",
    settings: { ...clip.settings, steps: judgingSteps, schedule: "constant" },
  };
}

/** A stage of a CLIP that judges, which begins with `tensors`, on draws after the first so many. */
export function judging(tensors: Map<string, Tensor>, vision: typeof visionConfig, after: number): Stage {
  return {
    ...clip,
    parts: undefined,
    averaging: 0.999,
    start: () => tensors,

    loss(values) {
      const module = moduleOf(openWeights(values), { open: new Set(values.keys()) });
      return contrast(module, clipText(module, clipTextConfig(textConfig), { positions }).text!, vision);
    },

    feeds: (draw) => clipFeeds(samplesOf(after + draw, { loose: 8, groups: 2 }), positions),
  };
}
