/** The hub, in the cache folder that all its tools share. */
export { isHubId } from "../id.ts";
export { cachedSnapshot, fetchSnapshot } from "./hub.ts";
