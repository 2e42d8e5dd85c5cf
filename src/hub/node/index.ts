/** The hub, in the cache folder that all its tools share. */
export { cachedSnapshot, fetchSnapshot } from "./hub.ts";
