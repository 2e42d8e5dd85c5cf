/** DreamSim (arXiv 2306.09344): how different two pictures look to people; 1 minus the cosine of centred features. */
import { openDreamSim } from "./dreamsim-branches.ts";
import { encoder } from "./encoder.ts";
import { cosine, mean } from "./features.ts";
import { metric } from "./metric.ts";

const branches = encoder({
  name: "dreamsim",
  chosen: true,
  help: "the folder of DreamSim's released files, or the folder of one of its LoRAs in it",
  usual: undefined,
  onHub: false,
  // Its own preprocessing, whatever the protocol.
  open: openDreamSim,
});

export const dreamsim = metric({
  name: "dreamsim",
  label: "DreamSim",
  help: "mean perceptual distance from the reference pictures; lower is closer",
  of: "subject",
  better: "lower",
  usual: false,
  encoder: branches,
  score: (picture, references) => mean(references.map((reference) => 1 - cosine(picture, reference))),
});
