import { rows } from "./row.ts";

export const studyErrors = rows({
  "study-invalid": {
    kind: "usage",
    what: "A study's file has an invalid setting.",
    why: "A key is misspelled, a value out of range, or a method is not a row of the experiment.",
    fix: "Correct the setting that the message names.",
  },
  "study-missing": {
    kind: "failed",
    what: "The folder holds no study.",
    why: "`tiller study make` writes one there.",
    fix: "Name the folder that `tiller study make` wrote.",
  },
  "study-exists": {
    kind: "usage",
    what: "The folder already holds a study.",
    why: "Its answers would no longer belong to its pictures.",
    fix: "Choose another folder with `--out`.",
  },
  "study-pictures-few": {
    kind: "usage",
    what: "There are fewer sets of pictures than the study asks for.",
    why: "A set is one subject, prompt and seed with a picture of every method.",
    fix: "Ask for fewer sets, or draw more pictures.",
  },
  "study-pictures-differ": {
    kind: "usage",
    what: "The pictures of a set do not belong together.",
    why: "A method has no picture for it, or pictures have different sizes or prompts, which would tell the methods apart.",
    fix: "Draw the pictures of all methods with the same prompts, seeds and size, under the same names.",
  },
  "participant-unknown": {
    kind: "usage",
    status: 404,
    what: "The address belongs to no participant of the study.",
    why: "It is incomplete or misspelled, or the participant was invited to another study.",
    fix: "Open the whole address as it was given; `tiller study invite` makes new ones.",
  },
  "study-set-unknown": {
    kind: "usage",
    status: 404,
    what: "The study has no such set or picture.",
    why: "The address was changed by hand.",
    fix: "Start again from the participant's own address.",
  },
  "study-answer-invalid": {
    kind: "usage",
    what: "An answer names no picture of its set.",
    why: "Answers are the pictures' letters, or `undecided`.",
    fix: "Choose one of them.",
  },
  "study-unfinished": {
    kind: "usage",
    status: 409,
    what: "A participant cannot finish yet.",
    why: "Some sets are not answered.",
    fix: "Answer the set that the message names.",
  },
  "study-ended": {
    kind: "usage",
    status: 409,
    what: "A participant's answers can no longer be changed.",
    why: "The participant has finished.",
    fix: "Invite someone else.",
  },
});
