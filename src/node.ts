/**
 * Contact sheets and the installation of OpenVINO. Both need Node and native packages.
 *
 * @module tillerjs/node
 */
export { type ContactSheet, createContactSheet, type SheetPlan } from "./images/node/contact-sheet.ts";
export { installOpenVino, type OpenVinoInstall } from "./runtime/node/openvino/install.ts";
