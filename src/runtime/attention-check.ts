/**
 * Tests a provider's fused attention. The WebGPU provider's kernel for long sequences relies on a subgroup width that software
 * devices do not have, and silently gives wrong results there.
 */
import { attention, input, type Real } from "../graph/index.ts";
import type { Engine } from "./engine.ts";
import { float32 } from "./tensor.ts";

/** More queries than the kernel processes at a time, and Stable Diffusion's smallest head size. */
const [tokens, heads, size] = [80, 2, 40];

/** Results are up to 2. A wrong kernel is off by as much; a correct one by a few rounding errors of its number type. */
const tolerances: Readonly<Record<Real, number>> = { float32: 1e-3, float16: 2e-2, bfloat16: 0.15 };

/** Message if it is wrong, after the device's name. */
export const plainAttention = "fused attention is wrong here, a plain one is used";

/** Whether the engine's attention matches the definition. */
export async function attentionIsRight(engine: Engine): Promise<boolean> {
  const width = heads * size;
  const shape = [1, tokens, width];
  const waves = (step: number) => Float32Array.from({ length: tokens * width }, (_, i) => 2 * Math.sin(step * i * i));
  const [q, k, v] = [waves(0.7), waves(1.1), waves(1.3)];
  const graph = attention(input("q", shape), input("k", shape), input("v", shape), heads);
  const session = await engine.compile("attention", { y: graph });
  const { y } = await session.run({ q: float32(shape, q), k: float32(shape, k), v: float32(shape, v) });
  await session.release();
  const expected = definition(q, k, v);
  const tolerance = tolerances[engine.target.real];
  return (y!.data as Float32Array).every((found, i) => Math.abs(found - expected[i]!) < tolerance);
}

/** softmax(q k' / sqrt(size)) v, head by head. */
function definition(q: Float32Array, k: Float32Array, v: Float32Array): Float32Array {
  const width = heads * size;
  const mixed = new Float32Array(tokens * width);
  for (let head = 0; head < width; head += size) {
    for (let i = 0; i < tokens; i++) {
      const shares = Array.from({ length: tokens }, (_, j) => {
        let score = 0;
        for (let c = head; c < head + size; c++) score += q[i * width + c]! * k[j * width + c]!;
        return Math.exp(score / Math.sqrt(size));
      });
      const total = shares.reduce((a, b) => a + b);
      for (const [j, share] of shares.entries()) {
        for (let c = head; c < head + size; c++) {
          mixed[i * width + c] = mixed[i * width + c]! + (share / total) * v[j * width + c]!;
        }
      }
    }
  }
  return mixed;
}
