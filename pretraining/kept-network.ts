/** Keeps a copy of a network from before a stage continues it, because the stage overwrites the original. */
import { copyFile, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { exists } from "#bytes";
import type { Component } from "../src/families/family.ts";
import type { Tensor } from "../src/runtime/index.ts";
import { openNetwork } from "./open-network.ts";
import { readTensors } from "./read-tensors.ts";

export interface KeptNetwork extends Component {
  readonly tensors: Map<string, Tensor>;
}

/** The copy of `folder` in `kept`, made by the first call. */
export async function keepNetwork(folder: string, kept: string): Promise<KeptNetwork> {
  // The config is copied last, so its presence means that the copy is complete.
  if (!(await exists(join(kept, "config.json")))) {
    await mkdir(kept, { recursive: true });
    const files = (await readdir(folder)).filter((file) => /\.(safetensors|json)$/.test(file));
    for (const file of files.toSorted((a) => (a === "config.json" ? 1 : -1))) {
      await copyFile(join(folder, file), join(kept, file));
    }
  }
  const network = await openNetwork(kept);
  return { ...network, tensors: await readTensors(network.weights) };
}
