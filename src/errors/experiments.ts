import { rows } from "./row.ts";

export const experimentErrors = rows({
  "experiment-invalid": {
    kind: "usage",
    what: "An experiment file has an invalid setting.",
    why: "A key is misspelled, a value out of range, or two settings contradict each other.",
    fix: "Correct the setting that the message names.",
  },
  "experiment-missing": {
    kind: "failed",
    what: "The folder holds no experiment.",
    why: "`tiller bench run` writes one there.",
    fix: "Name the folder that `tiller bench run` wrote.",
  },
  "experiment-files-missing": {
    kind: "failed",
    what: "Folders or files that an experiment names are not there.",
    why: "The paper's experiments need pictures and encoders that do not come with Tiller ([the paper step by step](paper.md)).",
    fix: "Put them where the message says, or correct the names in the experiment's file.",
  },
  "experiment-incomplete": {
    kind: "failed",
    what: "Part of an experiment failed.",
    why: "The message gives the first failure; everything else is done and kept.",
    fix: "Fix the cause and run the same command again: only what failed is repeated.",
  },
  "cost-unknown": {
    kind: "failed",
    what: "No guidance method could draw a picture to be timed.",
    why: "The message gives the first reason: a model that is not there, or too little memory.",
    fix: "Make `tiller generate` work with the same model and adapter first.",
  },
  "concept-unknown": {
    kind: "usage",
    what: "There is no such concept or prompt.",
    why: "Names must come from the set that the experiment uses.",
    fix: "Choose one that the message names.",
  },
  "budget-too-small": {
    kind: "usage",
    what: "The budget is too small for the first round of tuning.",
    why: "Every candidate is tried at least once.",
    fix: "Raise `--budget` to the number that the message names.",
  },
  "encoders-needed": {
    kind: "usage",
    what: "Measuring needs encoders.",
    why: "dinghy's own CLIP and DINO only know dinghy's drawn pictures.",
    fix: "Name downloaded ones with `--clip` and `--dino`.",
  },
  "metric-files-missing": {
    kind: "usage",
    what: "A metric's files are missing.",
    why: "PickScore and DreamSim have their own networks, which do not come with Tiller; or the folder lacks one of their files.",
    fix: "Name the network as the message says ([metrics](metrics.md)), or leave the metric out of `--metrics`.",
  },
  "metric-files-unsupported": {
    kind: "failed",
    what: "A metric's files are of a form that Tiller does not read.",
    why: "They belong to another version of it.",
    fix: "Use the version that the message names.",
  },
  "text-missing": {
    kind: "usage",
    what: "A picture to be measured, edited or learned has no text.",
    why: "It has no recipe and no `.txt` file beside it.",
    fix: "Write its text into a `.txt` file beside it, or give it with `--prompt` or `--prompts`.",
  },
  "texts-mismatch": {
    kind: "usage",
    what: "`--prompts` does not have one text for each picture.",
    why: "Lines are matched to the pictures in the order of their names.",
    fix: "Give one line for each, or a .json file of texts by name.",
  },
});
