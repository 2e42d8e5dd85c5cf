/** A network's folder of the embedded model, opened and not loaded. */
import { join } from "node:path";
import { jsonObject, readJson } from "../../files/json-file.ts";
import { openCheckpoint } from "../../weights/checkpoint.ts";
import type { Component } from "../../weights/model-source.ts";

export const openNetwork = async (folder: string): Promise<Component> => ({
  config: await readJson(join(folder, "config.json"), jsonObject),
  weights: await openCheckpoint(folder),
});
