/**
 * Stage 7: the ViT goes on with patches of half the side, four times as many: eyes and patterns are smaller than the patches
 * it began with.
 */
import { join } from "node:path";
import { vitConfig } from "../../models/vit.ts";
import { keepNetwork } from "./kept-network.ts";
import type { Stage, Workshop } from "./stage.ts";
import { config, tellingApart } from "./vit.ts";
import { vitOfFinerPatches } from "./vit-of-finer-patches.ts";

const name = "finer";

export async function finer({ modelFolder, workFolder }: Workshop): Promise<Stage> {
  const { config: before, tensors } = await keepNetwork(join(modelFolder, "vit"), join(workFolder, name, "begun"));
  const coarse = vitConfig(before).patch_size === config.patch_size;
  const begun = coarse ? vitOfFinerPatches(tensors, vitConfig(before)) : tensors;
  return tellingApart({ name, config: { ...config, patch_size: config.patch_size / 2 }, begun, kinds: 3, steps: 4000 });
}
