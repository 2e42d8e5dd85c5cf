/** Whether OpenVINO is installed: otherwise its tests are skipped with a message, and fail in CI. */
import { hasBfloat16 } from "../src/runtime/node/devices.ts";
import { findLibrary } from "../src/runtime/node/openvino/find.ts";

export const openVinoMissing: string | undefined = await findLibrary().then(
  () => undefined,
  (error: Error) => {
    if (process.env.CI === "true") throw error;
    console.warn(`SKIPPED: OpenVINO's tests. ${error.message}`);
    return error.message;
  },
);

/** Why pictures in bfloat16 cannot be drawn here; a processor without it refuses them, in CI too. */
export const bfloat16Missing: string | undefined = openVinoMissing ?? (await withoutBfloat16());

async function withoutBfloat16(): Promise<string | undefined> {
  if (await hasBfloat16()) return undefined;
  const why = "this processor has no bfloat16";
  console.warn(`SKIPPED: pictures in bfloat16. ${why}`);
  return why;
}
