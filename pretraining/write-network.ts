/** Writes a network's folder in Diffusers' and Transformers' layout, with weights in half precision. */
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fromFloat32 } from "../src/bytes/elements.ts";
import { writeSafetensors } from "../src/bytes/safetensors.ts";
import { writeWhole } from "../src/bytes/write-whole.ts";
import type { Network } from "./stage.ts";

export async function writeNetwork(
  folder: string,
  { config, tensors }: Network,
  file = "diffusion_pytorch_model.safetensors",
): Promise<void> {
  await writeText(join(folder, "config.json"), `${JSON.stringify(config, null, 2)}\n`);
  const halves = [...tensors].map(([name, { shape, data }]) => ({
    name,
    dtype: "float16" as const,
    shape,
    data: fromFloat32(data as Float32Array, "float16"),
  }));
  await writeSafetensors(join(folder, file), halves, { format: "pt" });
}

export async function writeText(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeWhole(file, text);
}
