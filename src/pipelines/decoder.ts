/** Decodes latents to pictures. */
import { areComputable } from "../bytes/computable.ts";
import { TillerError } from "../errors/index.ts";
import type { LatentCodec, Model } from "../families/family.ts";
import { bytesOf, type Pixels } from "../images/pixels.ts";
import { modulesOf } from "../models/components.ts";
import { type Engine, float32, type Session, type Tensor } from "../runtime/index.ts";
import { inTiles } from "./tiles.ts";

export interface Decoder {
  /** latents [channels, h, w], flattened, as the sampler left them; `tiled` decodes them tile by tile. */
  decode(latents: Float32Array, height: number, width: number, tiled?: boolean): Promise<Pixels>;
}

/** The codec's decoder, built when first needed. */
export function lazyDecoder(
  engine: Engine,
  { components, latents: codec }: Pick<Model, "components"> & { readonly latents: LatentCodec },
): Decoder {
  let session: Promise<Session> | undefined;
  return {
    async decode(latents, height, width, tiled = false) {
      session ??= engine
        .compile("decoder", codec.decode(modulesOf(components)), { wide: codec.wide })
        .catch((error) => {
          // A later attempt may find enough memory.
          session = undefined;
          throw error;
        });
      const built = await session;
      const run = async (some: Tensor): Promise<Tensor> => (await built.run({ latents: some })).picture!;
      const whole = float32([1, codec.channels, height, width], codec.unscaled(latents));
      const { tiles, pixelsPerLatent } = codec;
      const picture = await (tiled ? inTiles(whole, tiles, pixelsPerLatent, run) : run(whole));
      if (!areComputable(picture.data as Float32Array)) {
        throw new TillerError(
          "picture-not-finite",
          "the decoded picture has non-finite numbers: choose a smaller scale or adapter strength.",
        );
      }
      const [, , pixelHeight, pixelWidth] = picture.shape as [number, number, number, number];
      return { width: pixelWidth, height: pixelHeight, data: bytesOf(picture.data as Float32Array) };
    },
  };
}
