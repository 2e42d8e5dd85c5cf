/**
 * Tests a provider's int8 products. x86 processors without VNNI add pairs of them in 16 bits, and silently saturate on
 * overflow.
 */
import { constant, input, int8Constant, product, quantise } from "../graph/index.ts";
import type { Engine } from "./engine.ts";
import { float32 } from "./tensor.ts";

/** Whether the largest products, 255 times 127, are summed exactly. */
export async function int8IsExact(engine: Engine): Promise<boolean> {
  const [rows, inner, columns] = [4, 32, 16];
  const x = input("x", [rows, inner]);
  const q = quantise(x, constant([rows], Array(rows).fill(1)), 0);
  const weight = int8Constant([inner, columns], new Int8Array(inner * columns).fill(127));
  const y = product(q, weight, constant([columns], Array(columns).fill(1)), 0);
  const session = await engine.compile("int8 products", { y });
  const { y: found } = await session.run({ x: float32([rows, inner], new Float32Array(rows * inner).fill(255)) });
  await session.release();
  return (found!.data as Float32Array).every((v) => v === inner * 255 * 127);
}
