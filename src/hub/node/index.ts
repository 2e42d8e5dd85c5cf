/** The hub, with the cache folder shared with its other tools. */
export { cachedSnapshot, fetchSnapshot } from "./hub.ts";
