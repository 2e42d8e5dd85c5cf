/** Converts the network's predictions to clean latents and noise. */

const f32 = Math.fround;

/** What the network was trained to predict: the noise, the velocity alpha eps - sigma x0, the clean latents, or the flow eps - x0. */
export type PredictionType = "epsilon" | "v_prediction" | "sample" | "flow_prediction";

/** The network's output for one picture at one step, of the model's {@link PredictionType}. */
export interface Prediction {
  /** The guided network output. */
  readonly output: Float32Array;
  /** CFG++ and PG++ only: the output used to re-noise, that of the null (or weak) row, without guidance. */
  readonly renoise?: Float32Array | undefined;
}

/** alpha x0 + sigma eps. */
export const noisy = (clean: Float32Array, noise: Float32Array, alpha: number, sigma: number): Float32Array =>
  clean.map((x0, i) => f32(alpha * x0) + f32(sigma * noise[i]!));

/**
 * x0 for x = alpha x0 + sigma eps (variance preserving, or alpha + sigma = 1 for a flow).
 *
 * epsilon: (x - sigma eps) / alpha; v: alpha x - sigma v; sample: the output itself; flow: x - sigma v.
 */
export function cleanOf(
  type: PredictionType,
  latents: Float32Array,
  output: Float32Array,
  alpha: number,
  sigma: number,
): Float32Array {
  switch (type) {
    case "epsilon":
      return latents.map((x, i) => f32(x - f32(sigma * output[i]!)) / alpha);
    case "v_prediction":
      return latents.map((x, i) => f32(alpha * x) - f32(sigma * output[i]!));
    case "sample":
      return output;
    case "flow_prediction":
      return latents.map((x, i) => x - f32(sigma * output[i]!));
  }
}

/**
 * eps for x = alpha x0 + sigma eps (variance preserving, or alpha + sigma = 1 for a flow).
 *
 * epsilon: the output itself; v: alpha v + sigma x; sample: (x - alpha x0) / sigma; flow: x + alpha v.
 */
export function noiseOf(
  type: PredictionType,
  latents: Float32Array,
  output: Float32Array,
  alpha: number,
  sigma: number,
): Float32Array {
  switch (type) {
    case "epsilon":
      return output;
    case "v_prediction":
      return latents.map((x, i) => f32(alpha * output[i]!) + f32(sigma * x));
    case "sample":
      return latents.map((x, i) => f32(x - f32(alpha * output[i]!)) / sigma);
    case "flow_prediction":
      return latents.map((x, i) => x + f32(alpha * output[i]!));
  }
}

/**
 * x0 where x = x0 + sigma eps (variance exploding) and the network saw x / sqrt(sigma^2 + 1).
 *
 * epsilon: x - sigma eps; v: x / (sigma^2 + 1) - v sigma / sqrt(sigma^2 + 1); sample: the output itself.
 */
export function explodingCleanOf(
  type: Exclude<PredictionType, "flow_prediction">,
  latents: Float32Array,
  output: Float32Array,
  sigma: number,
): Float32Array {
  switch (type) {
    case "epsilon":
      return latents.map((x, i) => x - f32(sigma * output[i]!));
    case "v_prediction": {
      const total = f32(f32(sigma * sigma) + 1);
      const factor = f32(-sigma / f32(Math.sqrt(total)));
      return latents.map((x, i) => f32(output[i]! * factor) + f32(x / total));
    }
    case "sample":
      return output;
  }
}
