/** Opens a network's folder of the embedded model without loading the weights. */
import { join } from "node:path";
import { jsonObject, readJson } from "../src/bytes/json-file.ts";
import type { Component } from "../src/families/family.ts";
import { latentCodec } from "../src/families/latent-diffusion/autoencoder.ts";
import { openCheckpoint } from "../src/weights/checkpoint.ts";

export const openNetwork = async (folder: string): Promise<Component> => ({
  config: await readJson(join(folder, "config.json"), jsonObject),
  weights: await openCheckpoint(folder),
});

/** A model that consists of an autoencoder only, for encoding and decoding latents. */
export const autoencoderOf = (vae: Component) => ({
  components: new Map([["vae", vae]]),
  latents: latentCodec(vae),
});
