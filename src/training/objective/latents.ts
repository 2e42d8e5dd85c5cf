/** Encodes pictures to latents. */
import type { Model } from "../../families/family.ts";
import type { Planes } from "../../images/pixels.ts";
import { modulesOf } from "../../models/components.ts";
import { encodedBy } from "../../pipelines/encoder.ts";
import { type Engine, float32 } from "../../runtime/index.ts";

/** The encoder's output for a picture, from which its latents are sampled. */
export type Encoded = Float32Array;

export interface LatentEncoder {
  readonly pixelsPerLatent: number;
  /** Shape of the latents for a picture size: [channels, h, w]. */
  shape(size: number): readonly [number, number, number];
  encode(picture: Planes): Promise<Encoded>;
  /** Latents as the denoiser sees them, sampled with as many normal values. */
  sample(encoded: Encoded, noise: Float32Array): Float32Array;
  release(): Promise<void>;
}

export async function buildLatentEncoder(
  engine: Engine,
  { components, latents }: Pick<Model, "components" | "latents">,
  tiled = false,
): Promise<LatentEncoder> {
  const session = await engine.compile("encoder", latents.encode(modulesOf(components)), { wide: latents.wide });
  const { pixelsPerLatent, channels } = latents;
  return {
    pixelsPerLatent,
    shape: (size) => [channels, size / pixelsPerLatent, size / pixelsPerLatent],
    encode: ({ size, data }) => encodedBy(session, latents, float32([1, 3, size, size], data), tiled),
    sample: latents.sample,
    release: () => session.release(),
  };
}
