/** Failures a person is told about in one sentence, and their codes. */
export { type ErrorDetails, TillerError, withoutFolders } from "./error.ts";
export type { ErrorRow } from "./row.ts";
export { type ErrorCode, errorGroups, errorRows } from "./rows.ts";
