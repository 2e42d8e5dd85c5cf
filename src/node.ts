/**
 * Labelled sheets of many pictures. They need Node, and packages with native code.
 *
 * @module tillerjs/node
 */
export { type ContactSheet, createContactSheet, type SheetPlan } from "./images/node/contact-sheet.ts";
