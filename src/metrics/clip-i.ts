/** CLIP-I (textual inversion, arXiv 2208.01618, section 5): similarity to the subject, by CLIP. */
import { clip } from "./clip-encoder.ts";
import { cosine, mean } from "./features.ts";
import { metric } from "./metric.ts";

export const clipI = metric({
  name: "clipI",
  label: "CLIP-I",
  help: "mean cosine similarity of CLIP features with the reference pictures",
  of: "subject",
  better: "higher",
  usual: true,
  encoder: clip,
  score: (picture, references) => mean(references.map((reference) => cosine(picture, reference))),
});
