/** Sinusoidal embedding of timesteps. */
import { constant, cos, multiply, reshape, sin, type Value } from "../graph/index.ts";

/** Cosines and sines, [batch, 1, half] each, of timesteps [batch], with frequencies from 1 down to nearly 1 / 10000. */
export function timestepWaves(timestep: Value, half: number, shift = 0): { cosines: Value; sines: Value } {
  // Rounded to float32 at each step, like the reference: at timestep 981 the difference shows in the result.
  const frequencies = Float32Array.from({ length: half }, (_, i) =>
    Math.exp(Math.fround(Math.fround(-Math.log(10000) * i) / (half - shift))),
  );
  const angles = multiply(reshape(timestep, [timestep.shape[0]!, 1, 1]), constant([1, 1, half], frequencies));
  return { cosines: cos(angles), sines: sin(angles) };
}
