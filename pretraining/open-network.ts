/** A network's folder of the embedded model, opened and not loaded. */
import { join } from "node:path";
import { jsonObject, readJson } from "../src/bytes/json-file.ts";
import type { Component } from "../src/families/family.ts";
import { latentCodec } from "../src/families/stable-diffusion/index.ts";
import { openCheckpoint } from "../src/weights/checkpoint.ts";

export const openNetwork = async (folder: string): Promise<Component> => ({
  config: await readJson(join(folder, "config.json"), jsonObject),
  weights: await openCheckpoint(folder),
});

/** An autoencoder alone, as encoders and decoders of latents take a model. */
export const autoencoderOf = (vae: Component) => ({
  components: new Map([["vae", vae]]),
  latents: latentCodec(vae),
});
