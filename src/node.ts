/** `tillerjs/node`: pictures and files on a machine's disk, contact sheets. */
export { exists, hold, makeFolder, placeOf } from "./bytes/node/index.ts";
export { refusal } from "./bytes/node/refusal.ts";
export { writeNew } from "./bytes/node/write-new.ts";
export { writeWhole } from "./bytes/write-whole.ts";
export { type ContactSheet, createContactSheet, type SheetPlan } from "./images/node/contact-sheet.ts";
export { readPixels } from "./images/node/index.ts";
export { installOpenVino, type OpenVinoInstall } from "./runtime/node/openvino/install.ts";
