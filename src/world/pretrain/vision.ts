/**
 * Stage 6: CLIP's pictures go on learning against its texts as they are, for the U-Net is told by that text encoder.
 *
 * Nearly all of a batch is in groups of one theme: the places are learned early, the kinds of subject late.
 */
import { join } from "node:path";
import { jsonObject, readJson } from "../../files/json-file.ts";
import { input, symbol } from "../../graph/index.ts";
import { clipText, clipTextConfig } from "../../models/clip-text.ts";
import { moduleOf } from "../../models/module.ts";
import { float32, type Tensor } from "../../runtime/index.ts";
import { openCheckpoint } from "../../weights/checkpoint.ts";
import { readFloat32 } from "../../weights/safetensors.ts";
import { clip, clipFeeds, contrast, samplesOf } from "./clip.ts";
import { openWeights, type Stage, type Workshop } from "./stage.ts";

export async function vision({ engine, modelFolder }: Workshop): Promise<Stage> {
  const weights = await openCheckpoint(join(modelFolder, "clip"));
  const tensors = new Map<string, Tensor>();
  for (const [name, ref] of weights) tensors.set(name, float32(ref.shape, await readFloat32(ref)));
  const part = (frozen: boolean) => new Map([...tensors].filter(([name]) => name.startsWith("text_model.") === frozen));
  const config = await readJson(join(modelFolder, "text_encoder", "config.json"), jsonObject);
  const texts = await engine.compile("text encoder", clipText(moduleOf(weights), clipTextConfig(config)));

  return {
    ...clip,
    name: "vision",
    frozen: part(true),
    parts: undefined,
    settings: { ...clip.settings, steps: 6000, schedule: "constant" },
    averaging: 0.999,
    start: () => part(false),

    loss(values) {
      const module = moduleOf(openWeights(values), { open: new Set(values.keys()) });
      return contrast(
        module,
        input("text", [symbol("batch"), symbol("positions"), clipTextConfig(config).hidden_size]),
      );
    },

    async feeds(draw) {
      // Draws after those that the first stage saw.
      const { ids, learned, ...feeds } = clipFeeds(samplesOf(clip.settings.steps + draw, 8));
      const { text } = await texts.run({ ids: ids!, learned: learned! });
      return { ...feeds, text: text! };
    },
  };
}
