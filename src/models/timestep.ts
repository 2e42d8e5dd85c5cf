/** Timesteps as networks take them: waves of many frequencies. */
import { constant, cos, multiply, reshape, sin, type Value } from "../graph/index.ts";

/** Cosines and sines of timesteps [batch], [batch, 1, half] each: frequencies from 1 down to nearly 1 / 10000. */
export function timestepWaves(timestep: Value, half: number, shift = 0): { cosines: Value; sines: Value } {
  // In float32 step by step, as the reference: at timestep 981 a rounding here is seen in the result.
  const frequencies = Float32Array.from({ length: half }, (_, i) =>
    Math.exp(Math.fround(Math.fround(-Math.log(10000) * i) / (half - shift))),
  );
  const angles = multiply(reshape(timestep, [timestep.shape[0]!, 1, 1]), constant([1, 1, half], frequencies));
  return { cosines: cos(angles), sines: sin(angles) };
}
