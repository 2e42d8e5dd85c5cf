/** The form of PickScore in the drawn world: dinghy's CLIP, whose cosine is scaled by its own `logit_scale`. */
import { embedded } from "../families/embedded.ts";
import { encoder } from "./encoder.ts";
import { openScaledClip, tokenizerOf } from "./encoders.ts";
import { cosine } from "./features.ts";
import { metric } from "./metric.ts";

const scaled = encoder({
  name: "worldClip",
  chosen: false,
  help: "dinghy's CLIP with its scale",
  usual: embedded("clip"),
  onHub: false,
  open: async (engine, folder) => openScaledClip(engine, folder, await tokenizerOf(folder)),
});

export const worldScore = metric({
  name: "worldScore",
  label: "world score",
  help: "in the form of PickScore, by dinghy's CLIP, which only knows the drawn world",
  of: "text",
  better: "higher",
  usual: false,
  encoder: scaled,
  score: cosine,
});
