/** A network's folder of the embedded model, opened and not loaded. */
import { join } from "node:path";
import { jsonObject, readJson } from "../src/bytes/json-file.ts";
import type { Component } from "../src/families/model-source.ts";
import { openCheckpoint } from "../src/weights/checkpoint.ts";

export const openNetwork = async (folder: string): Promise<Component> => ({
  config: await readJson(join(folder, "config.json"), jsonObject),
  weights: await openCheckpoint(folder),
});
