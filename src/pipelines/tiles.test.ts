/** Tiled autoencoders against Diffusers' enable_tiling: fixture of parity/tiles.py. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fixture, reference, relativeError } from "../../test/fixtures.ts";
import { openModel } from "../families/open-model.ts";
import { modulesOf } from "../models/components.ts";
import { type Engine, startEngine, type Tensor } from "../runtime/index.ts";
import { inTiles } from "./tiles.ts";

const expected = await reference("../tiles.safetensors");
let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine.close());

describe.each([
  ["kl", "pipelines/sd15", { size: 4, stride: 3 }],
  ["dc", "sana-pipeline/model", { size: 8, stride: 7 }],
] as const)("the autoencoder %s", (name, folder, tiles) => {
  // The same tolerance as for the networks as a whole: tiles add no arithmetic but the blend.
  test("decodes and encodes tile by tile as Diffusers does", async () => {
    const { latents: codec, components } = await openModel(fixture(folder));
    const [latents, picture] = [await expected(`${name} latents`), await expected(`${name} picture`)];

    const decoder = await engine.compile("decoder", codec.decode(modulesOf(components)));
    const decode = async (tile: Tensor) => (await decoder.run({ latents: tile })).picture!;
    const decoded = await inTiles(latents, tiles, codec.pixelsPerLatent, decode);
    expect(relativeError(decoded, await expected(`${name} decoded`))).toBeLessThan(1e-4);
    // Tiles do change the picture.
    expect(relativeError(await decode(latents), decoded)).toBeGreaterThan(1e-3);

    const encoder = await engine.compile("encoder", codec.encode(modulesOf(components)));
    const encode = async (tile: Tensor) => (await encoder.run({ picture: tile })).encoded!;
    const [size, stride] = [tiles.size * codec.pixelsPerLatent, tiles.stride * codec.pixelsPerLatent];
    const encoded = await inTiles(picture, { size, stride }, 1 / codec.pixelsPerLatent, encode);
    expect(relativeError(encoded, await expected(`${name} encoded`))).toBeLessThan(1e-4);
  });
});
