/** Local files. */
export { writeAtomically } from "./atomic-file.ts";
export { exists, kindOf, list, stampOf, withSource } from "./file-source.ts";
export { appendText, makeFolder, refuseUnwritable, remove } from "./folders.ts";
export { startHash } from "./hash.ts";
export { hold } from "./lock.ts";
export { basename, cacheFolder, dirname, extname, join, packageFile, placeOf, resolve } from "./paths.ts";
