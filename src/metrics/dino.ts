/** DINO (DreamBooth, arXiv 2208.12242, section 4.2): similarity to the subject, by a ViT that distinguishes individuals. */
import { cosine, mean } from "./features.ts";
import { metric } from "./metric.ts";

export const dino = metric({
  name: "dino",
  label: "DINO",
  help: "mean cosine similarity of DINO features with the reference pictures",
  of: "subject",
  score: ({ picture, references }) => mean(references.map((reference) => cosine(picture.dino, reference.dino))),
});
