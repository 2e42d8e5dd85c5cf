/** CLIP-T (DreamBooth, arXiv 2208.12242, section 4.2): similarity to the text, by CLIP. */
import { clip } from "./clip-encoder.ts";
import { cosine } from "./features.ts";
import { metric } from "./metric.ts";

export const clipT = metric({
  name: "clipT",
  label: "CLIP-T",
  help: "cosine similarity of CLIP features with the text's",
  of: "text",
  better: "higher",
  usual: true,
  encoder: clip,
  score: cosine,
});
