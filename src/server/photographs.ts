/** Refuses training on photographs with dinghy before the job is queued, unless the request names dinghy. */
import { availableParallelism } from "node:os";
import { embeddedModel } from "../index.ts";
import { exists, photographsModel, refusePhotographs, totalMemory } from "../internal.ts";
import type { DataFolder } from "./data-folder.ts";
import type { JobRequest } from "./jobs.ts";
import type { Models } from "./models.ts";

/**
 * @throws TillerError `photographs-on-dinghy` if training names no model, the server's first is dinghy, and the upload's
 *   pictures are photographs.
 */
export async function refusePhotographsUnasked(
  request: JobRequest,
  { data, models }: { readonly data: DataFolder; readonly models: Models },
): Promise<void> {
  if (request.kind !== "training" || request.model !== undefined || models.get(undefined).source !== embeddedModel)
    return;
  const { method, upload, kind, name, model, precision, ...settings } = request;
  const images = data.upload(upload);
  if (!(await exists(images))) return;
  const offered = models.list.some(({ source }) => source === photographsModel);
  const machine = { cores: availableParallelism(), memory: totalMemory() };
  await refusePhotographs(method, { ...settings, images, out: "adapter.safetensors" }, machine, {
    pictures: "These pictures",
    instead: offered ? `choose the model ${photographsModel}` : `start tiller studio with --model ${photographsModel}`,
    insist: `name the model ${embeddedModel} to train on it anyway`,
  });
}
