/** Names that may be paths. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";

/** A path that exists, made absolute, so that it holds from any folder; hub ids and names stay. */
export const placeOf = (name: string): string => (existsSync(name) ? resolve(name) : name);
