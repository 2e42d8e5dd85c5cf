import { rows } from "./row.ts";

export const trainingErrors = rows({
  "caption-without-token": {
    kind: "usage",
    what: "No caption contains the token to be learned.",
    why: "A token that no text contains receives no gradient.",
    fix: "Put the token into the prompt or the captions.",
  },
  "training-unsuited": {
    kind: "usage",
    what: "The model does not support a training option.",
    why: "SANA's text encoder is a language model: neither it nor new tokens are trained. Min-SNR weighting is not defined for flows.",
    fix: "Use `dreambooth`, and leave out the option that the message names.",
  },
  "initializer-unknown": {
    kind: "usage",
    what: "The initializer is not a word that the text encoder knows.",
    why: "Its tokenizer gives no tokens for it.",
    fix: "Choose a plain word such as the subject's class.",
  },
  "training-diverged": {
    kind: "failed",
    what: "The loss, the gradient or the trained weights became NaN, infinite or too large to compute with.",
    why: "The learning rate is too high.",
    fix: "Lower the learning rate; the last checkpoint can be resumed with other settings in a new run.",
  },
  "checkpoint-invalid": {
    kind: "failed",
    what: "A training checkpoint cannot be used.",
    why: "It is damaged, belongs to another run, or holds NaN.",
    fix: "Remove it to start again.",
  },
  "resume-mismatch": {
    kind: "usage",
    what: "A run cannot be resumed with these settings.",
    why: "Its pictures or settings were different, so the result would match neither.",
    fix: "Resume with the same settings, or choose another `--out`.",
  },
  "run-exists": {
    kind: "usage",
    what: "The folder already holds a run.",
    why: "Starting again would overwrite it.",
    fix: "Continue it with `--resume`, or choose another `--out`.",
  },
  "folder-in-use": {
    kind: "usage",
    what: "Another process is working in the folder.",
    why: "Two would overwrite each other's files.",
    fix: "Wait for it, or choose another folder; if there is no other process, remove the lock file.",
  },
});
