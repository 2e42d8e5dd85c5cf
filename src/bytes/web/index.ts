/** Files in a browser: addresses, and the page's private file system. */
export { blobSource, exists, kindOf, list, stampOf, withSource } from "./file-source.ts";
export { startHash } from "./hash.ts";
export { basename, cacheFolder, dirname, extname, join, packageFile, placeOf, resolve } from "./paths.ts";
export { appendText, hold, makeFolder, refuseUnwritable, remove, writeAtomically } from "./private-files.ts";
