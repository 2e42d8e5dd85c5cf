/** Pictures by sharp. */
export { decodeCovering, encodePixels, readPixels } from "./decode.ts";
