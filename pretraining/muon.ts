/** Muon (Jordan and others, 2024), as torch.optim.Muon: a matrix's step is its orthogonalised momentum. */
import {
  add,
  divide,
  input,
  linear,
  matmul,
  maximum,
  multiply,
  type Outputs,
  sqrt,
  square,
  sum,
  transpose,
  type Value,
} from "../src/graph/index.ts";
import { type Engine, float32, type Tensor } from "../src/runtime/index.ts";
import { type AdamWState, adamWStep, type Update } from "../src/training/optimise/adamw.ts";

const momentum = 0.95;
/** Coefficients of the polynomial applied to the singular values in each iteration; they end between 0.7 and 1.2. */
const [first, third, fifth] = [3.4445, -4.775, 2.0315];
const iterations = 5;
/** Scales steps to AdamW's size (Liu and others, 2025), so that one learning rate serves both. */
const lengthOf = (rows: number, columns: number) => 0.2 * Math.sqrt(Math.max(rows, columns));

const stepOf = (name: string) => `step of ${name}`;

/** x [rows, columns] with all singular values near 1, by Newton-Schulz iteration. */
function orthogonal(x: Value): Value {
  const [rows, columns] = x.shape as [number, number];
  if (rows > columns) return transpose(orthogonal(transpose(x, [1, 0])), [1, 0]);
  let y = divide(x, maximum(sqrt(sum(square(x))), 1e-7));
  for (let i = 0; i < iterations; i++) {
    const a = linear(y, y);
    const b = add(multiply(a, third), multiply(matmul(a, a), fifth));
    y = add(multiply(y, first), matmul(b, y));
  }
  return y;
}

/**
 * An update that uses Muon for the tensors in `matrices` and AdamW for all others.
 *
 * Tensors with more than two axes, such as a convolution's [out, in, 3, 3], are treated as matrices with `out` rows.
 */
export async function compileMuon(
  engine: Engine,
  values: ReadonlyMap<string, Tensor>,
  matrices: readonly string[],
): Promise<Update> {
  const shapes = new Map(
    matrices.map((name): [string, [number, number]] => {
      const { shape, data } = values.get(name)!;
      return [name, [shape[0]!, data.length / shape[0]!]];
    }),
  );
  const outputs: Outputs = Object.fromEntries(
    [...shapes].map(([name, shape]) => [stepOf(name), orthogonal(input(name, shape))]),
  );
  const session = await engine.compile("muon", outputs);

  return async (all, gradients, state, options) => {
    const feeds = [...shapes].map(([name, shape]): [string, Tensor] => [
      name,
      float32(shape, withMomentum(gradients.get(name)!, state, name)),
    ]);
    const steps = await session.run(Object.fromEntries(feeds));
    const kept = 1 - options.learningRate * options.weightDecay;
    for (const [name, shape] of shapes) {
      const [value, step] = [all.get(name)!, steps[stepOf(name)]!.data];
      const rate = options.learningRate * lengthOf(...shape);
      for (let i = 0; i < value.length; i++) value[i] = value[i]! * kept - rate * step[i]!;
    }
    adamWStep(new Map([...all].filter(([name]) => !shapes.has(name))), gradients, state, options);
  };
}

/** Nesterov momentum: updates the running mean and interpolates the gradient with it. */
function withMomentum(gradient: Float32Array, { mean }: AdamWState, name: string): Float32Array {
  const m = mean.get(name)!;
  return gradient.map((g, i) => {
    m[i] = m[i]! + (g - m[i]!) * (1 - momentum);
    return g + (m[i]! - g) * momentum;
  });
}
