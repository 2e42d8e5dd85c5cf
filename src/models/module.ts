/**
 * What a model file reads its weights through: a place in a checkpoint, and the low-rank branches of adapters there.
 *
 * Parameters keep the checkpoint's own keys, so a model file and a safetensors listing can be read side by side.
 */
import { TillerError } from "../errors.ts";
import {
  add,
  type ConvOptions,
  conv,
  groupNorm,
  input,
  layerNorm,
  linear,
  matmul,
  multiply,
  parameter,
  reshape,
  rows,
  slice,
  symbol,
  type TensorRef,
  type Value,
} from "../graph/index.ts";

/** The modules that have a low-rank branch; their factors are inputs of the graph (see {@link siteInputs}). */
export type Sites = ReadonlySet<string>;

export interface Module {
  /** The checkpoint key without `.weight`; "" at the top. */
  readonly path: string;
  readonly at: (name: string | number) => Module;
  readonly has: (name: string) => boolean;
  readonly tensor: (name: string) => TensorRef;
  readonly sites: Sites;
}

/** The top of a checkpoint, ready for a model function. */
export function moduleOf(weights: ReadonlyMap<string, TensorRef>, sites: Sites = new Set(), path = ""): Module {
  const join = (name: string | number) => (path === "" ? String(name) : `${path}.${name}`);
  return {
    path,
    sites,
    at: (name) => moduleOf(weights, sites, join(name)),
    has: (name) => weights.has(join(name)),
    tensor: (name) => {
      const ref = weights.get(join(name));
      if (!ref)
        throw new TillerError(`the checkpoint has no tensor ${join(name)}: is its config.json another model's?`);
      return ref;
    },
  };
}

/**
 * The inputs that carry the adapters' factors at a site: `down`, `up` and, one row for each batch row, `strength`.
 *
 * `rank` is the sum of the ranks of all adapters there, 0 when none is loaded.
 */
export const siteInputs = (path: string) =>
  ({ down: `${path}.down`, up: `${path}.up`, strength: `${path}.strength` }) as const;

/**
 * x [batch, tokens, in] through the linear layer at `module`: y = W x + b + ((x A) * s) B.
 *
 * The strength s belongs to the batch row, so strong and weak rows share one batch. A 1x1 convolution's weight
 * [out, in, 1, 1] is taken as the same matrix.
 */
export const linearAt = (module: Module, x: Value): Value => linearPartsAt(module, x, 1)[0]!;

/** {@link linearAt} with the output cut into `parts` of equal width: cheaper than cutting it afterwards. */
export function linearPartsAt(module: Module, x: Value, parts: number): Value[] {
  const weight = matrix(module.tensor("weight"));
  const bias = module.has("bias") ? module.tensor("bias") : undefined;
  const [out, width] = weight.shape as [number, number];
  const site = lowRank(module, x, (rank) => ({ down: [width, rank], up: [rank, out] }));
  const inner = site && multiply(matmul(x, site.down), site.strength); // [batch, tokens, rank]
  return Array.from({ length: parts }, (_, part) => {
    const [from, to] = [(out / parts) * part, (out / parts) * (part + 1)];
    const y = linear(x, parameter(rows(weight, from, to)), bias && parameter(rows(bias, from, to)));
    if (!site) return y;
    return add(y, matmul(inner!, parts === 1 ? site.up : slice(site.up, 1, from, to)));
  });
}

/**
 * Bytes of a convolution's weight from which it is used as it lies in its file.
 *
 * The runtime re-lays smaller ones to its blocked layout when the session is built, which gains a tenth of their time at
 * each step. The weights of deep layers are large and their pictures small: re-laying those of SD 1.5 takes 9 s at the
 * start and wins 0.1 s a step.
 */
const blockedLayoutLimit = 4 * 2 ** 20;

/** x [batch, in, h, w] through the convolution at `module`, adapters included. */
export function convAt(module: Module, x: Value, options: ConvOptions = {}): Value {
  const weight = module.tensor("weight");
  const kernels = parameter(weight, { inPlace: weight.byteLength > blockedLayoutLimit });
  const y = conv(x, kernels, module.has("bias") ? parameter(module.tensor("bias")) : undefined, options);
  const [out, ...kernel] = weight.shape as [number, number, number, number];
  const site = lowRank(module, x, (rank) => ({ down: [rank, ...kernel], up: [out, rank, 1, 1] }));
  if (!site) return y;
  const strength = reshape(site.strength, [x.shape[0]!, site.strength.shape[2]!, 1, 1]);
  return add(y, conv(multiply(conv(x, site.down, undefined, options), strength), site.up));
}

function lowRank(
  { path, sites }: Module,
  x: Value,
  shapes: (rank: ReturnType<typeof symbol>) => Record<"down" | "up", readonly ReturnType<typeof symbol>[]>,
): { down: Value; up: Value; strength: Value } | undefined {
  if (!sites.has(path)) return undefined;
  const names = siteInputs(path);
  const rank = symbol(`rank of ${path}`);
  const { down, up } = shapes(rank);
  return {
    down: input(names.down, down),
    up: input(names.up, up),
    strength: input(names.strength, [x.shape[0]!, 1, rank]),
  };
}

/** A linear weight, also when an older file stores it as a 1x1 convolution. */
const matrix = (ref: TensorRef): TensorRef => ({ ...ref, shape: ref.shape.slice(0, 2) });

export function layerNormAt(module: Module, x: Value, epsilon = 1e-5): Value {
  return layerNorm(x, parameter(module.tensor("weight")), parameter(module.tensor("bias")), epsilon);
}

/** Group normalisation of x [batch, channels, h, w]. */
export function groupNormAt(module: Module, x: Value, groups: number, epsilon: number): Value {
  const perChannel = (name: string): Value => {
    const ref = module.tensor(name);
    return parameter({ ...ref, shape: [ref.shape[0]!, 1, 1] });
  };
  return groupNorm(x, groups, perChannel("weight"), perChannel("bias"), epsilon);
}
