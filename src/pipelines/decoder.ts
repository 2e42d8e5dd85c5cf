/** Decodes latents to pictures. */
import { areComputable } from "../bytes/computable.ts";
import { TillerError } from "../errors/index.ts";
import type { LatentCodec, Model } from "../families/family.ts";
import { bytesOf, type Pixels } from "../images/pixels.ts";
import { modulesOf } from "../models/components.ts";
import { type Engine, float32, type Session } from "../runtime/index.ts";

export interface Decoder {
  /** latents [channels, h, w], flattened, as the sampler left them. */
  decode(latents: Float32Array, height: number, width: number): Promise<Pixels>;
}

/** The codec's decoder, built when first needed. */
export function lazyDecoder(
  engine: Engine,
  { components, latents: codec }: Pick<Model, "components"> & { readonly latents: LatentCodec },
): Decoder {
  let session: Promise<Session> | undefined;
  return {
    async decode(latents, height, width) {
      session ??= engine
        .compile("decoder", codec.decode(modulesOf(components)), { wide: codec.wide })
        .catch((error) => {
          // A later attempt may find enough memory.
          session = undefined;
          throw error;
        });
      const { picture } = await (await session).run({
        latents: float32([1, codec.channels, height, width], codec.unscaled(latents)),
      });
      if (!areComputable(picture!.data as Float32Array)) {
        throw new TillerError(
          "picture-not-finite",
          "the decoded picture has non-finite numbers: choose a smaller scale or adapter strength.",
        );
      }
      const [, , pixelHeight, pixelWidth] = picture!.shape as [number, number, number, number];
      return { width: pixelWidth, height: pixelHeight, data: bytesOf(picture!.data as Float32Array) };
    },
  };
}
