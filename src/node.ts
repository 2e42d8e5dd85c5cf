/** `tillerjs/node`: pictures and files on a machine's disk, contact sheets. */
export { isTemporary } from "./bytes/node/atomic-file.ts";
export { exists, hold, makeFolder, placeOf } from "./bytes/node/index.ts";
export { refusal } from "./bytes/node/refusal.ts";
export { writeNew } from "./bytes/node/write-new.ts";
export { writeWhole } from "./bytes/write-whole.ts";
export { type ContactSheet, createContactSheet, type SheetPlan } from "./images/node/contact-sheet.ts";
export { readPixels } from "./images/node/index.ts";
