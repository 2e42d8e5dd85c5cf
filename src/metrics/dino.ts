/** DINO (DreamBooth, arXiv 2208.12242, section 4.2): similarity to the subject, by a ViT that distinguishes individuals. */
import { embedded } from "../families/embedded.ts";
import { encoder } from "./encoder.ts";
import { openViT } from "./encoders.ts";
import { cosine, mean } from "./features.ts";
import { metric } from "./metric.ts";

const vit = encoder({
  name: "dino",
  chosen: true,
  help: "a ViT folder or hub id, such as facebook/dino-vits16",
  usual: embedded("vit"),
  onHub: true,
  open: openViT,
});

export const dino = metric({
  name: "dino",
  label: "DINO",
  help: "mean cosine similarity of DINO features with the reference pictures",
  of: "subject",
  better: "higher",
  usual: true,
  encoder: vit,
  score: (picture, references) => mean(references.map((reference) => cosine(picture, reference))),
});
