/** Whether OpenVINO is installed: otherwise its tests are skipped with a message, and fail in CI. */
import { findLibrary } from "../src/runtime/node/openvino/find.ts";

export const openVinoMissing: string | undefined = await findLibrary().then(
  () => undefined,
  (error: Error) => {
    if (process.env.CI === "true") throw error;
    console.warn(`SKIPPED: OpenVINO's tests. ${error.message}`);
    return error.message;
  },
);
