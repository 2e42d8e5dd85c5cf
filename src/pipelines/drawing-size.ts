/** How much of a request is computed at once. */
import type { Model, ModelDefaults } from "../families/family.ts";
import { evaluate } from "../guidance/index.ts";
import { completed, type PictureRequest, pictureRequestSchema } from "../recipe/request.ts";
import type { DrawingSize } from "./memory-plan.ts";

/** The size of a request of which only a part may be known yet. */
export function drawingSize(
  { denoiser, latents: { pixelsPerLatent } }: Pick<Model, "denoiser" | "latents">,
  defaults: ModelDefaults,
  known: Pick<PictureRequest, "width" | "height" | "count" | "guidance" | "image"> = {},
): DrawingSize {
  const { width = defaults.width, height = defaults.height, count = 1, guidance, image } = known;
  const request = completed(pictureRequestSchema.parse({ prompt: "", guidance }), defaults);
  const rows = evaluate(request.guidance, request, request.steps).rows.length;
  const most = denoiser.picturesAtOnce(rows, height / pixelsPerLatent, width / pixelsPerLatent);
  const encodes = image !== undefined || denoiser.sees !== undefined;
  return { width, height, pictures: Math.min(count, most), rows, encodes };
}
