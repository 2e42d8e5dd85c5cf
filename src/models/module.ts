/**
 * How a model file accesses its weights: a module path in a checkpoint, with the adapters' low-rank branches there.
 *
 * Parameters keep the checkpoint's keys, so that a model file can be read beside a safetensors listing.
 */
import { TillerError } from "../errors/index.ts";
import {
  add,
  type ConvOptions,
  constant,
  conv,
  groupNorm,
  input,
  layerNorm,
  linear,
  matmul,
  multiply,
  parameter,
  reshape,
  rmsNorm,
  rows,
  slice,
  symbol,
  type TensorRef,
  type Value,
} from "../graph/index.ts";

/**
 * What adapters change: paths of modules with a low-rank branch, and keys of vectors (a bias, a norm's weight) with an added
 * change. Both are inputs of the graph (see {@link siteInputs} and {@link vectorInputs}).
 */
export type Sites = ReadonlySet<string>;

export interface ModuleOptions {
  readonly sites?: Sites | undefined;
  /** Keys of tensors that are graph inputs instead of fixed weights, named by scope and key and shaped as in the checkpoint. */
  readonly open?: ReadonlySet<string> | undefined;
  /** Layers that stay float32 when a target multiplies in int8; if absent, all do. */
  readonly float32?: RegExp | undefined;
  /** Prefix of the input names that `sites` and `open` create, so that networks do not share them. */
  readonly scope?: string | undefined;
}

export interface Module {
  /** The checkpoint key without `.weight`; "" at the root. */
  readonly path: string;
  readonly scope: string;
  readonly at: (name: string | number) => Module;
  readonly has: (name: string) => boolean;
  /** The shape of a tensor. */
  readonly shape: (name: string) => readonly number[];
  /** A tensor as a graph value: a weight that stays in its file, or an input if it is open. */
  readonly value: (name: string, as?: TensorView) => Value;
  readonly sites: Sites;
}

export interface TensorView {
  /** A shape with as many elements; the tensor's own by default. */
  readonly shape?: readonly number[] | undefined;
  /** Range [from, to) of the first axis, after `shape` is applied. */
  readonly rows?: readonly [number, number] | undefined;
  /** See `parameter`. */
  readonly inPlace?: boolean | undefined;
}

/** The root module of a checkpoint, for a model function. */
export function moduleOf(
  weights: ReadonlyMap<string, TensorRef>,
  { sites, open, float32, scope = "" }: ModuleOptions = {},
): Module {
  const inputs = new Map<string, Value>();
  const tensor = (key: string): TensorRef => {
    const ref = weights.get(key);
    if (!ref)
      throw new TillerError(
        "tensor-missing",
        `the checkpoint has no tensor ${key}: is its config.json from another model?`,
      );
    return ref;
  };
  const openValue = (key: string): Value => {
    const value = inputs.get(key) ?? input(scope + key, tensor(key).shape);
    inputs.set(key, value);
    return value;
  };
  const value = (key: string, { shape, rows: range, inPlace }: TensorView = {}): Value => {
    const ref = tensor(key);
    if (!open?.has(key)) {
      const viewed = { ...ref, shape: shape ?? ref.shape };
      const int8 = float32 !== undefined && !float32.test(key.replace(/\.weight$/, ""));
      return parameter(range ? rows(viewed, ...range) : viewed, { inPlace, int8 });
    }
    const viewed = shape ? reshape(openValue(key), shape) : openValue(key);
    return range && range[1] - range[0] !== viewed.shape[0] ? slice(viewed, 0, ...range) : viewed;
  };
  const at = (path: string): Module => {
    const join = (name: string | number) => (path === "" ? String(name) : `${path}.${name}`);
    return {
      path,
      scope,
      sites: sites ?? new Set(),
      at: (name) => at(join(name)),
      has: (name) => weights.has(join(name)),
      shape: (name) => tensor(join(name)).shape,
      value: (name, as) => value(join(name), as),
    };
  };
  return at("");
}

/**
 * The inputs for the adapters' factors at a site: `down`, `up` and `strength` [batch, 1, rank].
 *
 * `rank` is the sum of all adapters' ranks there, 0 if none is loaded.
 */
export const siteInputs = (path: string, scope = "") =>
  ({ down: `${scope}${path}.down`, up: `${scope}${path}.up`, strength: `${scope}${path}.strength` }) as const;

/** The inputs for the adapters' changes to a vector: `vectors` [n, length] and `strength` [batch, 1, n]. */
export const vectorInputs = (key: string, scope = "") =>
  ({ vectors: `${scope}${key}.vectors`, strength: `${scope}${key}.strength` }) as const;

/** What adapters add to a module's vector `name`, [batch, 1, length]; undefined if the vector is not a site. */
function added({ path, scope, sites }: Module, name: string, length: number, x: Value): Value | undefined {
  const key = `${path}.${name}`;
  if (!sites.has(key)) return undefined;
  const names = vectorInputs(key, scope);
  const count = symbol(`vectors of ${scope}${key}`);
  return matmul(input(names.strength, [x.shape[0]!, 1, count]), input(names.vectors, [count, length]));
}

/**
 * x [batch, tokens, in] through the linear layer at `module`: y = W x + b + ((x A) * s) B.
 *
 * The strength s is per batch row, so strong and weak rows share a batch. A 1x1 convolution's weight [out, in, 1, 1] is used
 * as the matrix [out, in].
 */
export const linearAt = (module: Module, x: Value): Value => linearPartsAt(module, x, 1)[0]!;

/** {@link linearAt} with the output split into `parts` of equal width, which is cheaper than splitting it afterwards. */
export function linearPartsAt(module: Module, x: Value, parts: number): Value[] {
  const shape = module.shape("weight").slice(0, 2);
  const [out, width] = shape as [number, number];
  const site = lowRank(module, x, (rank) => ({ down: [width, rank], up: [rank, out] }));
  const inner = site && multiply(matmul(x, site.down), site.strength); // [batch, tokens, rank]
  const shift = added(module, "bias", out, x);
  return Array.from({ length: parts }, (_, part) => {
    const range = [(out / parts) * part, (out / parts) * (part + 1)] as const;
    const bias = module.has("bias") ? module.value("bias", { rows: range }) : undefined;
    const plain = linear(x, module.value("weight", { shape, rows: range }), bias);
    const y = shift ? add(plain, parts === 1 ? shift : slice(shift, 2, ...range)) : plain;
    if (!site) return y;
    return add(y, matmul(inner!, parts === 1 ? site.up : slice(site.up, 1, ...range)));
  });
}

/**
 * Convolution weights with more elements than this are used in place, as they lie in their file.
 *
 * The runtime converts smaller ones to its blocked layout when the session is built, which saves a tenth of their time at
 * each step. Deep layers have large weights and small feature maps: converting those of SD 1.5 takes 9 s at the start and
 * saves 0.1 s a step.
 */
const blockedLayoutLimit = 2 ** 20;

interface ConvAtOptions extends ConvOptions {
  /** Whether the weight is used in place in its file; decided by its size by default. */
  readonly inPlace?: boolean;
}

/** x [batch, in, h, w] through the convolution at `module`, including adapters; a grouped one has no low-rank branch. */
export function convAt(module: Module, x: Value, { inPlace, ...options }: ConvAtOptions = {}): Value {
  const shape = module.shape("weight") as [number, number, number, number];
  const [out, ...kernel] = shape;
  const large = out * kernel[0] * kernel[1] * kernel[2] > blockedLayoutLimit;
  const weight = module.value("weight", { inPlace: inPlace ?? large });
  const plain = conv(x, weight, module.has("bias") ? module.value("bias") : undefined, options);
  const shift = added(module, "bias", out, x);
  const y = shift ? add(plain, reshape(shift, [x.shape[0]!, out, 1, 1])) : plain;
  const whole = (options.groups ?? 1) === 1;
  const site = whole && lowRank(module, x, (rank) => ({ down: [rank, ...kernel], up: [out, rank, 1, 1] }));
  if (!site) return y;
  const strength = reshape(site.strength, [x.shape[0]!, site.strength.shape[2]!, 1, 1]);
  return add(y, conv(multiply(conv(x, site.down, undefined, options), strength), site.up));
}

function lowRank(
  { path, scope, sites }: Module,
  x: Value,
  shapes: (rank: ReturnType<typeof symbol>) => Record<"down" | "up", readonly ReturnType<typeof symbol>[]>,
): { down: Value; up: Value; strength: Value } | undefined {
  if (!sites.has(path)) return undefined;
  const names = siteInputs(path, scope);
  const rank = symbol(`rank of ${scope}${path}`);
  const { down, up } = shapes(rank);
  return {
    down: input(names.down, down),
    up: input(names.up, up),
    strength: input(names.strength, [x.shape[0]!, 1, rank]),
  };
}

/** Layer normalisation of x [batch, tokens, width], including adapters. */
export function layerNormAt(module: Module, x: Value, epsilon = 1e-5): Value {
  const width = module.shape("weight")[0]!;
  const normal = layerNorm(x, module.value("weight"), module.value("bias"), epsilon);
  const [weight, bias] = [added(module, "weight", width, x), added(module, "bias", width, x)];
  const scaled = weight ? add(normal, multiply(layerNorm(x, ones([width]), zeros([width]), epsilon), weight)) : normal;
  return bias ? add(scaled, bias) : scaled;
}

/** RMS normalisation of x [batch, tokens, width], including adapters. */
export function rmsNormAt(module: Module, x: Value, epsilon: number): Value {
  const normal = rmsNorm(x, 2, epsilon);
  const scaled = multiply(normal, module.value("weight"));
  const weight = added(module, "weight", module.shape("weight")[0]!, x);
  return weight ? add(scaled, multiply(normal, weight)) : scaled;
}

/** Group normalisation of x [batch, channels, h, w], including adapters. */
export function groupNormAt(module: Module, x: Value, groups: number, epsilon: number): Value {
  const channels = module.shape("weight")[0]!;
  const shape = [channels, 1, 1];
  const perChannel = (name: string): Value => module.value(name, { shape });
  const normal = groupNorm(x, groups, perChannel("weight"), perChannel("bias"), epsilon);
  const change = (name: string): Value | undefined => {
    const change = added(module, name, channels, x);
    return change && reshape(change, [x.shape[0]!, channels, 1, 1]);
  };
  const [weight, bias] = [change("weight"), change("bias")];
  const scaled = weight
    ? add(normal, multiply(groupNorm(x, groups, ones(shape), zeros(shape), epsilon), weight))
    : normal;
  return bias ? add(scaled, bias) : scaled;
}

const ones = (shape: readonly number[]): Value => constant(shape, new Float32Array(shape[0]!).fill(1));
const zeros = (shape: readonly number[]): Value => constant(shape, new Float32Array(shape[0]!));
