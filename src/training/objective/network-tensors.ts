/** What a full fine-tune trains. */
import type { Model } from "../../families/family.ts";
import { inputsOf } from "../../graph/index.ts";
import { type ByComponent, scoped } from "../../models/components.ts";
import { denoisingLoss } from "./losses.ts";
import { trainedComponents } from "./trained.ts";

/** The keys of all tensors that the denoising loss depends on, of the components that are always trained. */
export function networkTensors(model: Model): ByComponent<ReadonlySet<string>> {
  const all = trainedComponents(model).map((name) => [name, [...model.components.get(name)!.weights.keys()]] as const);
  const matrices = new Map(all.map(([name, keys]) => [name, new Set(keys)]));
  const used = inputsOf({
    loss: denoisingLoss(model, { lowRank: new Map(), rank: 0, alpha: 0, matrices, vectors: 0 }),
  });
  return new Map(all.map(([name, keys]) => [name, new Set(keys.filter((key) => used.has(scoped(name, key))))]));
}
