/** Blind studies of what people prefer, as the paper's table 3: made from pictures, answered by participants, counted. */
export { answerRows, answersCsv, sharesCsv, studyJson } from "./export.ts";
export { makeStudy, writeStudy } from "./make.ts";
export {
  countsOf,
  type Invited,
  invite,
  type Participant,
  participantStates,
  participantsOf,
  type Question,
  questions,
  readParticipant,
  stateOf,
} from "./participants.ts";
export { type SettingShares, type Share, type StudyShares, sharesOf } from "./shares.ts";
export { openSittings, type Page, type Progress, type Sittings, unknownParticipant } from "./sitting.ts";
export { holdsStudy, readStudy, type Study, undecided } from "./study.ts";
export { readStudyFile } from "./study-file.ts";
