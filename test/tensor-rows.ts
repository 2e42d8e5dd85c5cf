/** Rows of tensors, for tests that compare batches with single rows. */
import { input, multiply, symbol } from "../src/graph/index.ts";
import type { Engine, Kept, Tensor } from "../src/runtime/index.ts";

/** Fetches the kept tensor `text` with an identity graph. */
export async function broughtOut(engine: Engine, text: Kept): Promise<Tensor> {
  const shape = ["rows", "tokens", "width"].map(symbol);
  const session = await engine.compile("as it is", { same: multiply(input("text", shape), 1) });
  const { same } = await session.run({ text });
  await session.release();
  return same!;
}

/** The numbers of a picture at a step, of a tensor [steps, pictures, ...]. */
export function numbersAt({ shape, data }: Tensor, step: number, picture: number): Float32Array {
  const size = shape.slice(2).reduce((a, b) => a * b, 1);
  const from = (step * shape[1]! + picture) * size;
  return data.slice(from, from + size) as Float32Array;
}

/** A row as a batch of one. */
export function rowAt({ shape, data }: Tensor, row: number): Tensor {
  const size = data.length / shape[0]!;
  return { shape: [1, ...shape.slice(1)], data: data.slice(row * size, (row + 1) * size) };
}
