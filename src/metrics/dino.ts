/** DINO (DreamBooth, arXiv 2208.12242, section 4.2): likeness to the subject, by a ViT that tells individuals apart. */
import { cosine, mean } from "./features.ts";
import { metric } from "./metric.ts";

export const dino = metric({
  name: "dino",
  label: "DINO",
  help: "cosine of DINO's features with each of the subject's pictures, on average",
  of: "subject",
  score: ({ picture, references }) => mean(references.map((reference) => cosine(picture.dino, reference.dino))),
});
