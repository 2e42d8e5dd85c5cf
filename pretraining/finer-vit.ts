/**
 * Stage 8: the ViT continues with patches of half the side, four times as many: eyes and patterns are smaller than its first
 * patches.
 */
import { join } from "node:path";
import { vitConfig } from "../src/models/vit.ts";
import { finerPatches } from "./finer-patches.ts";
import { keepNetwork } from "./kept-network.ts";
import { softFeeds } from "./softened.ts";
import type { Stage, Workshop } from "./stage.ts";
import { config, tellingApart } from "./vit.ts";

const name = "finer-vit";
export const vitPatches = {
  kernel: "embeddings.patch_embeddings.projection.weight",
  positions: "embeddings.position_embeddings",
};

export async function finerViT({ modelFolder, workFolder }: Workshop): Promise<Stage> {
  const { config: before, tensors } = await keepNetwork(join(modelFolder, "vit"), join(workFolder, name, "begun"));
  const parsed = vitConfig(before);
  const fine = config.patch_size / 2;
  const begun = parsed.patch_size === fine ? tensors : finerPatches(tensors, vitPatches, parsed);
  const stage = tellingApart({ name, config: { ...config, patch_size: fine }, begun, kinds: 3, steps: 4000 });
  return { ...stage, round: 2000, feeds: softFeeds(stage.feeds) };
}
