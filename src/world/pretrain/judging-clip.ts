/**
 * Stage 3: the CLIP that judges goes its own way from the one whose text tower tells the U-Net what to draw, both its
 * towers learning on.
 *
 * Nearly all of a batch is in two groups of one theme each: the places are learned early, the kinds of subject late.
 */
import { join } from "node:path";
import { clipText, clipTextConfig } from "../../models/clip-text.ts";
import { moduleOf } from "../../models/module.ts";
import { openCheckpoint } from "../../weights/checkpoint.ts";
import { clip, clipFeeds, contrast, samplesOf, textConfig } from "./clip.ts";
import { readTensors } from "./read-tensors.ts";
import { openWeights, type Stage, type Workshop } from "./stage.ts";

/** No caption is longer: attention is causal, so that what follows a caption's end has no part in it. */
const positions = 20;

export async function judgingClip({ modelFolder }: Workshop): Promise<Stage> {
  const tensors = await readTensors(await openCheckpoint(join(modelFolder, "clip")));
  return {
    ...clip,
    name: "judge",
    parts: undefined,
    settings: { ...clip.settings, steps: 6000, schedule: "constant" },
    averaging: 0.999,
    start: () => tensors,

    loss(values) {
      const module = moduleOf(openWeights(values), { open: new Set(values.keys()) });
      return contrast(module, clipText(module, clipTextConfig(textConfig), { positions }).text!);
    },

    // Draws after those that the first stage saw.
    feeds: (draw) => clipFeeds(samplesOf(clip.settings.steps + draw, { loose: 8, groups: 2 }), positions),
  };
}
