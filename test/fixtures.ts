/** The reference fixtures, written by parity/make_fixtures.py with Diffusers, Transformers and PEFT. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { readBytes } from "../src/bytes/safetensors.ts";
import { type PictureRequest, readFloat32, readSafetensors } from "../src/index.ts";
import type { Tensor } from "../src/runtime/index.ts";

export const fixture = (path: string): string => fileURLToPath(new URL(`../parity/fixtures/${path}`, import.meta.url));

export interface PictureCase {
  readonly name: string;
  readonly pipeline: string;
  readonly variant?: string;
  readonly adapters: readonly { readonly file: string; readonly strength: number }[];
  readonly request: PictureRequest;
}

export const pictureCases = JSON.parse(readFileSync(fixture("reference/cases.json"), "utf8")) as PictureCase[];

/** The adapters of a case as `Pipeline.load` takes them. */
export const adaptersOf = ({ adapters }: PictureCase) =>
  adapters.map(({ file, strength }) => ({ file: fixture(`adapters/${file}`), strength }));

/** All tensors of a reference file; integers and bytes are returned as stored. */
export async function reference(file: string): Promise<(name: string) => Promise<Tensor>> {
  const { tensors } = await readSafetensors(fixture(`reference/${file}`));
  return async (name) => {
    const ref = tensors.get(name);
    if (!ref) throw new Error(`${file} has no ${name}`);
    if (ref.dtype === "float32") return { shape: ref.shape, data: await readFloat32(ref) };
    const bytes = await readBytes(ref);
    const data = ref.dtype === "int32" ? new Int32Array(bytes.slice().buffer) : Int32Array.from(bytes);
    return { shape: ref.shape, data };
  };
}

/** Largest difference, relative to the largest expected value. */
export function relativeError(found: Tensor, expected: Tensor): number {
  if (String(found.shape) !== String(expected.shape)) return Number.POSITIVE_INFINITY;
  let difference = 0;
  let size = 0;
  for (const [i, value] of expected.data.entries()) {
    difference = Math.max(difference, Math.abs(found.data[i]! - value));
    size = Math.max(size, Math.abs(value));
  }
  return difference / size;
}

/** Share of the pixels with every channel within 1 of the reference. */
export function agreement(found: Uint8Array, expected: ArrayLike<number>): number {
  let close = 0;
  for (let pixel = 0; pixel < found.length; pixel += 3) {
    if ([0, 1, 2].every((c) => Math.abs(found[pixel + c]! - expected[pixel + c]!) <= 1)) close++;
  }
  return (close * 3) / found.length;
}
