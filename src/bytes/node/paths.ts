/** Local paths. */
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export { basename, dirname, extname, join, resolve } from "node:path";

/** Makes an existing path absolute, so that it is valid from any folder; hub ids and other names are unchanged. */
export const placeOf = (name: string): string => (existsSync(name) ? resolve(name) : name);

/** The path of a file in this package. */
export const packageFile = (path: string): string => fileURLToPath(new URL(`../../../${path}`, import.meta.url));

/** The user's cache folder, by the XDG convention. */
export const cacheFolder = (): string => join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "tiller");
