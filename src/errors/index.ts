/** Failures that users can act on, and their codes. */
export { type ErrorDetails, pathsOf, TillerError, withoutFolders } from "./error.ts";
export type { ErrorRow } from "./row.ts";
export { type ErrorCode, errorGroups, errorRows } from "./rows.ts";
