/** What the network of a single file predicts. */
import { readBytes } from "../../bytes/safetensors.ts";
import { TillerError } from "../../errors/index.ts";
import type { Checkpoint } from "../../weights/checkpoint.ts";

/** The step at which SD 2 base, the 512-pixel model that predicts noise, was saved. */
const sd2BaseSteps = 875_000n;

/** Refuses EDM models (Karras et al.), recognised by the marker tensors that ComfyUI reads. */
export function refuseEdm(tensors: Checkpoint, file: string): void {
  const mark = ["edm_mean", "edm_vpred.sigma_max"].find((key) => tensors.has(key));
  if (mark === undefined) return;
  throw new TillerError(
    "model-unsupported",
    `${file} is an EDM model, such as Playground v2.5 (it has ${mark}), which Tiller's samplers do not support.`,
    { paths: [file] },
  );
}

/** What the network predicts, as far as the file itself says; `form` 2 is SD 2.x. */
export async function predictionTold(
  tensors: Checkpoint,
  metadata: Readonly<Record<string, string>>,
  form: 1 | 2,
): Promise<"epsilon" | "v_prediction" | undefined> {
  if (tensors.has("v_pred")) return "v_prediction";
  const told = metadata["modelspec.prediction_type"];
  if (told) return /^v/i.test(told) ? "v_prediction" : "epsilon";
  if (form === 1) return undefined;
  const step = tensors.get("global_step");
  if (step?.dtype !== "int64" || step.byteLength !== 8) return undefined;
  const [steps] = new BigInt64Array((await readBytes(step)).buffer);
  return steps === sd2BaseSteps ? "epsilon" : "v_prediction";
}
