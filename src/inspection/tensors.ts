/** What a set of tensors amounts to, and which base model their widths belong to. */
import type { Checkpoint } from "../weights/checkpoint.ts";

/** How much a set of tensors is. */
export interface Amount {
  /** How many tensors. */
  readonly tensors: number;
  /** Elements of all of them. */
  readonly parameters: number;
  /** Their size in the file. */
  readonly bytes: number;
  /** Parameters by dtype. */
  readonly dtypes: Readonly<Record<string, number>>;
}

export function amountOf(checkpoint: Checkpoint): Amount {
  const dtypes: Record<string, number> = {};
  let bytes = 0;
  for (const { shape, dtype, byteLength } of checkpoint.values()) {
    dtypes[dtype] = (dtypes[dtype] ?? 0) + elements(shape);
    bytes += byteLength;
  }
  const parameters = Object.values(dtypes).reduce((a, b) => a + b, 0);
  return { tensors: checkpoint.size, parameters, bytes, dtypes };
}

export const elements = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** The base model that text features of this width come from. */
export function familyByWidth(width: number | undefined): string | undefined {
  return {
    768: "Stable Diffusion 1.x",
    1024: "Stable Diffusion 2.x",
    1152: "SANA 0.6B or PixArt",
    2048: "Stable Diffusion XL",
    2240: "SANA 1.6B or 4.8B",
  }[width ?? 0];
}
