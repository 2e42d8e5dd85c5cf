/**
 * Stage 7: the judging CLIP continues with patches of half the side, four times as many: ears and muzzles, which distinguish a
 * cat from a fox, are smaller than its first patches.
 */
import { join } from "node:path";
import { clipVisionConfig } from "../src/models/clip-vision.ts";
import { clip, config, visionConfig } from "./clip.ts";
import { finerPatches } from "./finer-patches.ts";
import { judging, judgingSteps } from "./judging-clip.ts";
import { keepNetwork } from "./kept-network.ts";
import { softFeeds } from "./softened.ts";
import type { Stage, Workshop } from "./stage.ts";

const name = "finer-judge";
const patches = {
  kernel: "vision_model.embeddings.patch_embedding.weight",
  positions: "vision_model.embeddings.position_embedding.weight",
};

export async function finerJudge({ modelFolder, workFolder }: Workshop): Promise<Stage> {
  const { config: before, tensors } = await keepNetwork(join(modelFolder, "clip"), join(workFolder, name, "begun"));
  const parsed = clipVisionConfig(before.vision_config as Record<string, unknown>);
  const vision = { ...visionConfig, patch_size: visionConfig.patch_size / 2 };
  const begun = parsed.patch_size === vision.patch_size ? tensors : finerPatches(tensors, patches, parsed);
  const stage = judging(begun, vision, clip.settings.steps + judgingSteps);
  return {
    ...stage,
    name,
    config: { ...config, vision_config: vision },
    settings: { ...clip.settings, steps: 1700, warmup: 100 },
    feeds: softFeeds(stage.feeds),
  };
}
