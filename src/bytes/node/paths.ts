/** Names of files on this machine. */
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export { basename, dirname, extname, join, resolve } from "node:path";

/** A path that exists, made absolute, so that it holds from any folder; hub ids and names stay. */
export const placeOf = (name: string): string => (existsSync(name) ? resolve(name) : name);

/** A file of the package, by its path there. */
export const packageFile = (path: string): string => fileURLToPath(new URL(`../../../${path}`, import.meta.url));

/** Where what can be made again is kept, by the desktop's convention. */
export const cacheFolder = (): string => join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "tiller");
