/** The form of DreamSim in the drawn world: dinghy's ViT and CLIP, their features joined and centred. */
import { join } from "#bytes";
import { embedded } from "../families/embedded.ts";
import { encoder } from "./encoder.ts";
import { openClip, openViT, tokenizerOf } from "./encoders.ts";
import { centred, cosine, mean } from "./features.ts";
import { metric } from "./metric.ts";

const both = encoder({
  name: "worldBoth",
  chosen: false,
  help: "dinghy's ViT and CLIP",
  usual: embedded(),
  onHub: false,
  async open(engine, folder, protocol) {
    const clipFolder = join(folder, "clip");
    const branches = [
      await openViT(engine, join(folder, "vit"), protocol),
      await openClip(engine, clipFolder, await tokenizerOf(clipFolder), protocol),
    ];
    return {
      async pictures(pictures) {
        const features = await Promise.all(branches.map((branch) => branch.pictures(pictures)));
        return pictures.map((_, i) => centred(Float32Array.from(features.flatMap((rows) => [...rows[i]!]))));
      },
    };
  },
});

export const worldDistance = metric({
  name: "worldDistance",
  label: "world distance",
  help: "in the form of DreamSim, by dinghy's ViT and CLIP, which only know the drawn world; lower is closer",
  of: "subject",
  better: "lower",
  usual: false,
  encoder: both,
  score: (picture, references) => mean(references.map((reference) => 1 - cosine(picture, reference))),
});
