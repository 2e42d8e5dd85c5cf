/** CLIP-T (DreamBooth, arXiv 2208.12242, section 4.2): likeness to the text, by CLIP. */
import { cosine } from "./features.ts";
import { metric } from "./metric.ts";

export const clipT = metric({
  name: "clipT",
  label: "CLIP-T",
  help: "cosine of CLIP's features with those of the text",
  of: "text",
  score: ({ picture, text }) => cosine(picture.clip, text),
});
