/** A network as it was when a stage began to go on from it: a copy is kept, for the stage writes over the original. */
import { copyFile, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { jsonObject, readJson } from "../../files/json-file.ts";
import { exists } from "../../files/regular-file.ts";
import type { Tensor } from "../../runtime/index.ts";
import { type Checkpoint, openCheckpoint } from "../../weights/checkpoint.ts";
import { readTensors } from "./read-tensors.ts";

export interface KeptNetwork {
  readonly config: Record<string, unknown>;
  readonly weights: Checkpoint;
  readonly tensors: Map<string, Tensor>;
}

/** The copy of `folder` in `kept`, made by the first call. */
export async function keepNetwork(folder: string, kept: string): Promise<KeptNetwork> {
  // The config is copied last: where it is, all is.
  if (!(await exists(join(kept, "config.json")))) {
    await mkdir(kept, { recursive: true });
    const files = (await readdir(folder)).filter((file) => /\.(safetensors|json)$/.test(file));
    for (const file of files.toSorted((a) => (a === "config.json" ? 1 : -1))) {
      await copyFile(join(folder, file), join(kept, file));
    }
  }
  const weights = await openCheckpoint(kept);
  const config = await readJson(join(kept, "config.json"), jsonObject);
  return { config, weights, tensors: await readTensors(weights) };
}
