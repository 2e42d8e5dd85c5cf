/** Reads the values in an adapter's file. */
import { areComputable, largest } from "../bytes/computable.ts";
import { readNumbers } from "../bytes/safetensors.ts";
import type { TensorRef } from "../bytes/tensor-ref.ts";
import { TillerError } from "../errors/index.ts";
import type { Factor } from "./adapter.ts";

/** A tensor's values. @throws TillerError if any is not finite or too large. */
export async function readFactor(file: string, key: string, ref: TensorRef): Promise<Factor> {
  const count = ref.shape.reduce((a, b) => a * b, 1);
  const data = await readNumbers(ref);
  if (data.length !== count)
    throw new TillerError("adapter-damaged", `${file} is damaged: ${key} does not hold ${count} numbers.`, {
      paths: [file],
    });
  if (!areComputable(data)) {
    throw new TillerError(
      "adapter-not-finite",
      `${file} has NaN, infinity or a number beyond ${largest} in ${key}: its training diverged; use an earlier checkpoint.`,
      { paths: [file] },
    );
  }
  return { shape: ref.shape, data };
}
