/** Encodes pictures for the latents that drawing starts from. */
import type { Model } from "../families/family.ts";
import { modulesOf } from "../models/components.ts";
import { type Engine, float32, type Session, type Tensor } from "../runtime/index.ts";
import { inTiles, isTiled } from "./tiles.ts";

/** A picture for the encoder. */
export interface Encodable {
  /** Tells its pixels apart from others of the same size. */
  readonly key: string;
  readonly width: number;
  readonly height: number;
  /** -1 to 1: [3, height, width]. */
  readonly planes: Float32Array;
}

export interface Encoder {
  /** The codec's `encoded`, from which latents are sampled. */
  encode(picture: Encodable, tiled?: boolean): Promise<Float32Array>;
}

/** How many encodings are kept: a picture's and a masked picture's, for the next request that starts from them. */
const most = 2;

/** The codec's encoder. Its network is built for a picture and released at once: it is rarely needed, and large. */
export function lazyEncoder(engine: Engine, { components, latents }: Pick<Model, "components" | "latents">): Encoder {
  const kept = new Map<string, Promise<Float32Array>>();

  const encode = async ({ width, height, planes }: Encodable, tiled: boolean): Promise<Float32Array> => {
    const session = await engine.compile("encoder", latents.encode(modulesOf(components)), { wide: latents.wide });
    try {
      return await encodedBy(session, latents, float32([1, 3, height, width], planes), tiled);
    } finally {
      await session.release();
    }
  };

  return {
    encode(picture, tiled = false) {
      const key = `${picture.width}x${picture.height} ${tiled} ${picture.key}`;
      const encoding = kept.get(key) ?? encode(picture, tiled);
      kept.delete(key);
      kept.set(key, encoding);
      // What was not asked for the longest goes first.
      for (const old of [...kept.keys()].slice(0, -most)) kept.delete(old);
      return encoding.catch((error: unknown) => {
        kept.delete(key);
        throw error;
      });
    },
  };
}

/** The codec's `encoded` of a picture [1, 3, h, w], by a session of its encoder; `tiled` computes it tile by tile. */
export async function encodedBy(
  session: Session,
  { pixelsPerLatent, tiles }: Model["latents"],
  picture: Tensor,
  tiled: boolean,
): Promise<Float32Array> {
  const [, , height, width] = picture.shape as [number, number, number, number];
  const inPixels = { size: tiles.size * pixelsPerLatent, stride: tiles.stride * pixelsPerLatent };
  const run = async (tile: Tensor): Promise<Tensor> => (await session.run({ picture: tile })).encoded!;
  const cut = tiled && isTiled(height, width, inPixels);
  const encoded = await (cut ? inTiles(picture, inPixels, 1 / pixelsPerLatent, run) : run(picture));
  return encoded.data as Float32Array;
}
