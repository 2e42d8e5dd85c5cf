/** The CLIP of CLIP-I and CLIP-T. */
import { embedded } from "../families/embedded.ts";
import { encoder } from "./encoder.ts";
import { openClip, tokenizerOf } from "./encoders.ts";

export const clip = encoder({
  name: "clip",
  chosen: true,
  help: "a CLIP folder or hub id, such as openai/clip-vit-base-patch32",
  usual: embedded("clip"),
  onHub: true,
  open: async (engine, folder, protocol) => openClip(engine, folder, await tokenizerOf(folder), protocol),
});
