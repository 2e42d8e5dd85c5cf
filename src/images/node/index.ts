/** Pictures by sharp. */
export { encodePixels, readCovering, readPixels } from "./decode.ts";
