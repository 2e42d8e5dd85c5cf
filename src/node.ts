/**
 * Labelled sheets of many pictures, and the installation of OpenVINO. They need Node, and packages with native code.
 *
 * @module tillerjs/node
 */
export { type ContactSheet, createContactSheet, type SheetPlan } from "./images/node/contact-sheet.ts";
export { installOpenVino, type OpenVinoInstall } from "./runtime/node/openvino/install.ts";
