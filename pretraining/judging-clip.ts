/**
 * Stage 3: the judging CLIP is trained further, both towers, separately from the one whose text tower conditions the U-Net.
 *
 * Nearly all of a batch is in two groups of one theme each: places are learned early, the kinds of subjects late.
 */
import { join } from "node:path";
import { clipText, clipTextConfig } from "../src/models/clip-text.ts";
import { moduleOf } from "../src/models/module.ts";
import type { Tensor } from "../src/runtime/index.ts";
import { openCheckpoint } from "../src/weights/checkpoint.ts";
import { clip, clipFeeds, contrast, samplesOf, textConfig, visionConfig } from "./clip.ts";
import { readTensors } from "./read-tensors.ts";
import { openWeights, type Stage, type Workshop } from "./stage.ts";

/** No caption is longer; attention is causal, so positions after the end do not matter. */
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

/** A stage of the judging CLIP, starting from `tensors`, on draws after the first `after`. */
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
