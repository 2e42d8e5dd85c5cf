/**
 * PickScore (arXiv 2305.01569): how people would like a picture for a text, by a CLIP-H fine-tuned on their choices; the cosine
 * times the exponential of the checkpoint's `logit_scale`, about 100, so that values are near 21.
 */
import { encoder } from "./encoder.ts";
import { openScaledClip, tokenizerOf } from "./encoders.ts";
import { cosine } from "./features.ts";
import { metric } from "./metric.ts";

const clipH = encoder({
  name: "pickscore",
  chosen: true,
  help: "PickScore's folder or hub id: yuvalkirstain/PickScore_v1",
  usual: undefined,
  onHub: true,
  // Its own preprocessing, whatever the protocol.
  open: async (engine, folder) => openScaledClip(engine, folder, await tokenizerOf(folder)),
});

export const pickscore = metric({
  name: "pickscore",
  label: "PickScore",
  help: "preference for the picture, given the text: exp(logit_scale) times the cosine of a CLIP-H trained on people's choices",
  of: "text",
  better: "higher",
  usual: false,
  encoder: clipH,
  score: cosine,
});
