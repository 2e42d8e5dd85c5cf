/** Computes what a module's tensors in an adapter change: one function per kind, with LyCORIS' and PEFT's arithmetic. */
import { areComputable, largest } from "../bytes/computable.ts";
import { readWeight } from "../bytes/refuse-not-finite.ts";
import type { TensorRef } from "../bytes/tensor-ref.ts";
import { TillerError } from "../errors/index.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import { boundOf, type Factor, type LowRank } from "./adapter.ts";
import { kronecker, product, throughSecond, transposed } from "./dense.ts";
import { readFactor } from "./factor.ts";
import type { AlphaRule } from "./kind.ts";
import type { Role, Spelling } from "./naming.ts";

/** The tensors of one module by role. */
export type Entry = {
  readonly [role in Role]?: { readonly key: string; readonly ref: TensorRef; readonly spelling: Spelling };
};

/** The module that is changed. */
export interface Place {
  /** For messages. */
  readonly file: string;
  /** For messages: the model's name. */
  readonly model: string;
  readonly module: string;
  /** The component's weights. */
  readonly weights: Checkpoint;
  readonly rule: ReturnType<AlphaRule>;
}

export interface Changes {
  readonly lowRank?: LowRank | undefined;
  /** By the parameter's key. */
  readonly differences: readonly (readonly [key: string, Factor])[];
}

/**
 * What a module's tensors change.
 *
 * @throws TillerError naming the key that does not fit the module, with both shapes, or that is missing.
 */
export async function changesOf(place: Place, entry: Entry): Promise<Changes> {
  const { module, weights } = place;
  const vectors = (await vectorsOf(place, entry)).map(([name, factor]) => [`${module}.${name}`, factor] as const);
  const kinds = weightKinds.filter(({ marks }) => marks.some((role) => entry[role]));
  if (kinds.length > 1) {
    const [first, second] = kinds.map(({ marks }) => entry[marks.find((role) => entry[role])!]!.key);
    throw damaged(place, `it changes ${module} in two ways, with ${first} and with ${second}`);
  }
  const [kind] = kinds;
  if (!kind) {
    if (vectors.length === 0)
      throw damaged(place, `it has ${Object.values(entry)[0]!.key} without the weights it applies to`);
    return { differences: vectors };
  }
  const change = await kind.change(place, entry);
  const decomposed = entry.magnitude || place.rule.decomposed;
  if ("down" in change && boundOf(change) > largest) throw tooLarge(place, `, with alpha over rank ${change.scale}`);
  if ("down" in change && !decomposed) return { lowRank: change, differences: vectors };
  const host = weights.get(`${module}.weight`)!;
  const delta = "down" in change ? expanded(change, host) : change;
  const whole = decomposed ? await withMagnitude(place, entry, delta) : delta;
  if (!areComputable(whole.data)) throw tooLarge(place);
  return { differences: [...vectors, [`${module}.weight`, whole]] };
}

/** The kinds of weight change, by the tensors that mark them. */
const weightKinds: readonly {
  readonly marks: readonly Role[];
  readonly change: (place: Place, entry: Entry) => Promise<LowRank | Factor>;
}[] = [
  { marks: ["down", "up", "mid"], change: lora },
  { marks: ["hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b", "hada_t1", "hada_t2"], change: loha },
  { marks: ["lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b", "lokr_t2"], change: lokr },
  { marks: ["a1", "a2", "b1", "b2", "bm"], change: glora },
  { marks: ["ia3", "ia3 side"], change: ia3 },
  { marks: ["diff"], change: (place, entry) => whole(place, entry, "diff") },
  { marks: ["w_norm"], change: (place, entry) => whole(place, entry, "w_norm") },
  { marks: ["whole"], change: replaced },
];

/** W + scale * up down; with a core, down = core down, as in LyCORIS' Tucker form. */
async function lora(place: Place, entry: Entry): Promise<LowRank> {
  const { file } = place;
  const { down, up, mid } = entry;
  if (!down || !up) {
    const present = (down ?? up ?? mid)!.key;
    throw new TillerError(
      "adapter-damaged",
      `${file} has ${present} but not its ${down ? "up" : "down"} half: the file is incomplete.`,
      { paths: [file] },
    );
  }
  const [out, inner] = hostShape(place);
  const [rank = 0, ...downInner] = down.ref.shape;
  const [upOut = 0, upRank = 0, ...upInner] = up.ref.shape;
  const due = mid ? [inner[0]!] : inner;
  const fits = sameKernel(downInner, due) && upOut === out && upInner.every((n) => n === 1);
  if (!fits) {
    const wrong = sameKernel(downInner, due) ? up : down;
    throw misfit(place, wrong, wrong === down ? [rank, ...due] : [out, rank]);
  }
  if (mid) expectShape(place, mid, [upRank, rank, ...inner.slice(1)]);
  else if (upRank !== rank || rank === 0) {
    throw new TillerError(
      "adapter-damaged",
      `${file} is damaged: ${down.key} has rank ${rank}, ${up.key} rank ${upRank}.`,
      { paths: [file] },
    );
  }
  expectRank(place, down, rank);
  const narrow = await read(place, down);
  const core = mid && throughSecond(await read(place, mid), narrow, upRank, rank);
  return {
    down: { shape: [upRank, ...inner], data: core ?? narrow },
    up: { shape: [out, upRank], data: await read(place, up) },
    scale: await scaleOf(place, entry, rank),
  };
}

/** (w1_a w1_b) * (w2_a w2_b), elementwise; as one product of rank r^2 if that is smaller. */
async function loha(place: Place, entry: Entry): Promise<LowRank | Factor> {
  const [out, inner] = hostShape(place);
  const width = inner.reduce((a, b) => a * b, 1);
  const half = async (a: Role, b: Role, core: Role) => {
    const tucker = entry[core];
    const [left, right] = [need(place, entry, a), need(place, entry, b)];
    const rank = right.ref.shape[0] ?? 0;
    if (tucker) {
      expectShape(place, left, [tucker.ref.shape[0] ?? 0, out]);
      expectShape(place, right, [rank, inner[0]!]);
      expectShape(place, tucker, [tucker.ref.shape[0] ?? 0, rank, ...inner.slice(1)]);
      const [first] = tucker.ref.shape as [number];
      const through = throughSecond(await read(place, tucker), await read(place, right), first, rank);
      return { rank: first, left: transposed(await read(place, left), first), right: through };
    }
    expectShape(place, left, [out, rank]);
    expectCount(place, right, rank * width, [rank, ...inner]);
    return { rank, left: await read(place, left), right: await read(place, right) };
  };
  const one = await half("hada_w1_a", "hada_w1_b", "hada_t1");
  const two = await half("hada_w2_a", "hada_w2_b", "hada_t2");
  const scale = await scaleOf(place, entry, (entry.hada_w1_b ?? entry.hada_w1_a)!.ref.shape[0]!);
  const rank = one.rank * two.rank;
  if (2 * rank > Math.min(out, width)) {
    const first = product(one.left, one.right, out, one.rank);
    const second = product(two.left, two.right, out, two.rank);
    return { shape: [out, ...inner], data: first.map((value, i) => scale * (value * second[i]!)) };
  }
  // sum_ij (a_i b_i) * (c_j d_j) = sum_ij (a_i * c_j) (b_i * d_j)
  const down = new Float32Array(rank * width);
  const up = new Float32Array(out * rank);
  for (let i = 0; i < one.rank; i++) {
    for (let j = 0; j < two.rank; j++) {
      const k = i * two.rank + j;
      for (let n = 0; n < width; n++) down[k * width + n] = one.right[i * width + n]! * two.right[j * width + n]!;
      for (let o = 0; o < out; o++) up[o * rank + k] = one.left[o * one.rank + i]! * two.left[o * two.rank + j]!;
    }
  }
  return { down: { shape: [rank, ...inner], data: down }, up: { shape: [out, rank], data: up }, scale };
}

/** The Kronecker product of w1 and w2, either of which may itself be a product. */
async function lokr(place: Place, entry: Entry): Promise<Factor> {
  const [out, inner] = hostShape(place);
  const [width = 0, ...kernel] = inner;
  const area = kernel.reduce((a, b) => a * b, 1);
  const matrix = async (name: "lokr_w1" | "lokr_w2") => {
    const given = entry[name];
    if (given) {
      const [rows = 0, columns = 0] = given.ref.shape;
      return { rows, columns, key: given, data: await read(place, given) };
    }
    const [a, b] = [need(place, entry, `${name}_a`), need(place, entry, `${name}_b`)];
    const core = name === "lokr_w2" ? entry.lokr_t2 : undefined;
    const [rank = 0] = b.ref.shape;
    const columns = b.ref.shape.reduce((x, y) => x * y, 1) / (rank * (core || name === "lokr_w1" ? 1 : area));
    if (core) {
      const [first = 0, rows = 0] = a.ref.shape;
      expectShape(place, core, [first, rank, ...kernel]);
      const through = throughSecond(await read(place, core), await read(place, b), first, rank);
      const left = transposed(await read(place, a), first);
      return { rows, columns, rank, key: a, data: product(left, through, rows, first) };
    }
    const [rows = 0, inside = 0] = a.ref.shape;
    if (inside !== rank || rank === 0) throw damaged(place, `${a.key} has rank ${inside}, ${b.key} rank ${rank}`);
    return { rows, columns, rank, key: a, data: product(await read(place, a), await read(place, b), rows, rank) };
  };
  const [one, two] = [await matrix("lokr_w1"), await matrix("lokr_w2")];
  const fits =
    one.rows * two.rows === out &&
    one.columns * two.columns === width &&
    one.data.length === one.rows * one.columns &&
    two.data.length === two.rows * two.columns * area;
  if (!fits) throw misfit(place, one.key, [out / two.rows, width / two.columns]);
  const rank = two.rank ?? one.rank;
  // LyCORIS takes alpha as the rank if neither half is a product; PEFT always scales.
  const scale =
    rank === undefined
      ? place.rule.rank === undefined
        ? 1
        : await scaleOf(place, entry, place.rule.rank)
      : await scaleOf(place, entry, rank);
  const data = kronecker(one.data, [one.rows, one.columns], two.data, [two.rows, two.columns]);
  return { shape: [out, ...inner], data: data.map((value) => scale * value) };
}

/** W a1 a2 + b1 b2. */
async function glora(place: Place, entry: Entry): Promise<Factor> {
  const [out, inner] = hostShape(place);
  const [width = 0, ...kernel] = inner;
  const area = kernel.reduce((a, b) => a * b, 1);
  const [a1, a2, b1, b2] = (["a1", "a2", "b1", "b2"] as const).map((role) => need(place, entry, role)) as [
    Tensor,
    Tensor,
    Tensor,
    Tensor,
  ];
  const rank = a2.ref.shape[0] ?? 0;
  expectCount(place, a1, width * rank, [width, rank]);
  expectCount(place, a2, rank * width, [rank, width]);
  expectCount(place, b1, out * rank, [out, rank]);
  const { bm } = entry;
  expectCount(place, b2, rank * width * (bm ? 1 : area), [rank, ...(bm ? [width] : inner)]);
  if (bm) expectShape(place, bm, [rank, rank, ...kernel]);
  const right = await read(place, b2);
  const inside = bm ? throughSecond(await read(place, bm), right, rank, rank) : right;
  const own = product(await read(place, b1), inside, out, rank);
  const across = product(await read(place, a1), await read(place, a2), width, rank); // [in, in]
  const base = await baseOf(place);
  const scale = await scaleOf(place, entry, rank);
  const data = new Float32Array(base.length);
  for (let o = 0; o < out; o++) {
    const rows = base.subarray(o * width * area, (o + 1) * width * area); // [in, area]
    data.set(product(transposed(across, width), rows, width, width), o * width * area);
  }
  return { shape: [out, ...inner], data: data.map((value, i) => scale * (value + own[i]!)) };
}

/** W times a factor for each output or input; LyCORIS stores the factor minus 1. */
async function ia3(place: Place, entry: Entry): Promise<Factor> {
  const { data, onInput } = await ia3Change(place, entry);
  const [out, inner] = hostShape(place);
  const base = await baseOf(place);
  const row = base.length / out;
  const area = row / inner[0]!;
  return {
    shape: [out, ...inner],
    data: base.map((value, i) => value * data[onInput ? Math.floor((i % row) / area) : Math.floor(i / row)]!),
  };
}

async function ia3Change(place: Place, entry: Entry): Promise<{ data: Float32Array; onInput: boolean }> {
  const [out, [width = 0]] = hostShape(place);
  const factor = need(place, entry, "ia3");
  const count = factor.ref.shape.reduce((a, b) => a * b, 1);
  const side = entry["ia3 side"];
  const told = side && (await read(place, side))[0] !== 0;
  const onInput = told ?? (factor.ref.shape.length === 2 ? factor.ref.shape[0] === 1 && width > 1 : count !== out);
  expectCount(place, factor, onInput ? width : out, [onInput ? width : out]);
  const data = await read(place, factor);
  return { data: factor.spelling === "peft" ? data.map((value) => value - 1) : data, onInput };
}

async function whole(place: Place, entry: Entry, role: "diff" | "w_norm"): Promise<Factor> {
  const shape = place.weights.get(`${place.module}.weight`)!.shape;
  const tensor = need(place, entry, role);
  if (!sameKernel(tensor.ref.shape, shape)) throw misfit(place, tensor, shape);
  return { shape, data: await read(place, tensor) };
}

/** A module that replaces the base model's: W1 - W0. */
async function replaced(place: Place, entry: Entry): Promise<Factor> {
  const { shape } = place.weights.get(`${place.module}.weight`)!;
  const tensor = need(place, entry, "whole");
  if (!sameKernel(tensor.ref.shape, shape)) throw misfit(place, tensor, shape);
  const base = await baseOf(place);
  return { shape, data: (await read(place, tensor)).map((value, i) => value - base[i]!) };
}

/** Changes to the module's bias. */
async function vectorsOf(place: Place, entry: Entry): Promise<[name: string, Factor][]> {
  const { weights, module } = place;
  const length = weights.get(`${module}.weight`)!.shape[0]!;
  const vector = (data: Float32Array): Factor => ({ shape: [length], data });
  const found: [string, Factor][] = [];
  const taken = async (tensor: Tensor, scale = 1) => {
    expectCount(place, tensor, length, [length]);
    const data = await read(place, tensor);
    found.push(["bias", vector(scale === 1 ? data : data.map((value) => scale * value))]);
  };
  if (entry.diff_b) await taken(entry.diff_b);
  if (entry.b_norm) await taken(entry.b_norm);
  if (entry["up bias"])
    await taken(entry["up bias"], await scaleOf(place, entry, need(place, entry, "down").ref.shape[0]!));
  const bias = weights.get(`${module}.bias`);
  if (entry["whole bias"]) {
    if (!bias) throw misfit(place, entry["whole bias"], []);
    expectCount(place, entry["whole bias"], length, [length]);
    const base = await readWeight(bias);
    found.push(["bias", vector((await read(place, entry["whole bias"])).map((value, i) => value - base[i]!))]);
  }
  // PEFT scales the layer's output, bias included; LyCORIS scales only the weight.
  if (entry.ia3?.spelling === "peft" && bias) {
    const { data, onInput } = await ia3Change(place, entry);
    const base = await readWeight(bias);
    if (!onInput) found.push(["bias", vector(base.map((value, i) => value * data[i]!))]);
  }
  if (found.length > 1) throw damaged(place, `it changes the bias of ${module} twice`);
  return found;
}

/** DoRA: W' = m V / |V| with V = W0 + change; |V| of each output, or of each input where m is [1, in]. */
async function withMagnitude(place: Place, entry: Entry, change: Factor): Promise<Factor> {
  const [out, [width = 0, ...kernel]] = hostShape(place);
  const { magnitude } = entry;
  if (!magnitude) throw damaged(place, `its configuration says DoRA, but ${place.module} has no lora_magnitude_vector`);
  const { shape } = magnitude.ref;
  const byInput = shape[0] === 1 && shape[1] === width && magnitude.spelling === "kohya";
  const count = byInput ? width : out;
  expectCount(place, magnitude, count, byInput ? [1, width] : [out, 1]);
  const area = kernel.reduce((a, b) => a * b, 1);
  const base = await baseOf(place);
  const m = await read(place, magnitude);
  const index = (i: number) => (byInput ? Math.floor(i / area) % width : Math.floor(i / (width * area)));
  const squares = new Float64Array(count);
  for (let i = 0; i < base.length; i++) squares[index(i)]! += (base[i]! + change.data[i]!) ** 2;
  const factors = squares.map((square, i) => m[i]! / (Math.sqrt(square) + epsilon));
  return {
    shape: change.shape,
    data: change.data.map((value, i) => (base[i]! + value) * factors[index(i)]! - base[i]!),
  };
}

/** float32's epsilon, which LyCORIS adds to norms. */
const epsilon = 2 ** -23;

/** scale * up down, [out, in, ...]. */
function expanded({ down, up, scale }: LowRank, host: TensorRef): Factor {
  const rank = down.shape[0]!;
  return { shape: host.shape, data: product(up.data, down.data, host.shape[0]!, rank).map((value) => scale * value) };
}

/** alpha / rank, or alpha / sqrt(rank). In kohya's files an alpha of 0 means the rank. */
async function scaleOf(place: Place, { alpha }: Entry, rank: number): Promise<number> {
  const { rule } = place;
  const stored = alpha && (await readFactor(place.file, alpha.key, { ...alpha.ref, shape: [1] })).data[0];
  if (stored !== undefined && stored < 0) throw damaged(place, `${alpha!.key} is ${stored}, less than 0`);
  const effective = (stored === 0 ? undefined : stored) ?? rule.alpha ?? rank;
  return effective / (rule.rootRank ? Math.sqrt(rank) : rank);
}

type Tensor = NonNullable<Entry[Role]>;

function expectRank({ file, rule }: Place, { key }: Tensor, rank: number): void {
  if (rule.rank === undefined || rule.rank === rank) return;
  throw new TillerError(
    "adapter-metadata",
    `${file} contradicts itself: its PEFT configuration says rank ${rule.rank}, but ${key} has rank ${rank}.`,
    { paths: [file] },
  );
}

const tooLarge = ({ file, module }: Place, why = ""): TillerError =>
  new TillerError("adapter-not-finite", `${file} changes ${module} by values too large to compute with${why}.`, {
    paths: [file],
  });

/** Integer tensors are quantised weights, which need scales; only a single integer is a plain number. */
async function read({ file }: Place, { key, ref }: Tensor): Promise<Float32Array> {
  const count = ref.shape.reduce((a, b) => a * b, 1);
  if (count > 1 && !ref.dtype.includes("float")) {
    throw new TillerError(
      "dtype-unsupported",
      `${file} stores ${key} as ${ref.dtype}, which Tiller cannot compute with: use an F16, BF16 or F32 version.`,
      { paths: [file] },
    );
  }
  return (await readFactor(file, key, ref)).data;
}

const baseOf = ({ weights, module }: Place): Promise<Float32Array> => readWeight(weights.get(`${module}.weight`)!);

/** [out] and [in, ...] of the module. @throws TillerError if the module has no matrix or kernel. */
function hostShape({ file, model, module, weights }: Place): [out: number, inner: readonly number[]] {
  const [out = 0, ...inner] = weights.get(`${module}.weight`)!.shape;
  if (inner.length > 0) return [out, inner];
  throw new TillerError(
    "adapter-other-model",
    `${file} does not fit the model ${model}: it changes ${module} as a layer with a matrix, but there it is a norm.`,
    { paths: [file] },
  );
}

function need(place: Place, entry: Entry, role: Role): Tensor {
  const tensor = entry[role];
  if (tensor) return tensor;
  throw damaged(place, `it has ${Object.values(entry)[0]!.key} but not its ${role}`);
}

const damaged = ({ file }: Place, what: string): TillerError =>
  new TillerError("adapter-damaged", `${file} is damaged: ${what}. Download or export it again.`, { paths: [file] });

const misfit = ({ file, model, module }: Place, { key, ref }: Tensor, due: readonly number[]): TillerError =>
  new TillerError(
    "adapter-other-model",
    `${file} does not fit the model ${model}: ${key} is [${ref.shape.join(", ")}], but ${module} takes [${due.join(", ")}].`,
    { paths: [file] },
  );

function expectShape(place: Place, tensor: Tensor, due: readonly number[]): void {
  const trimmed = (shape: readonly number[]) => [...shape, ...Array(Math.max(0, due.length - shape.length)).fill(1)];
  const { shape } = tensor.ref;
  if (shape.slice(due.length).some((n) => n !== 1) || String(trimmed(shape).slice(0, due.length)) !== String(due))
    throw misfit(place, tensor, due);
}

/** For tensors whose axes of length 1 differ between tools. */
function expectCount(place: Place, tensor: Tensor, count: number, due: readonly number[]): void {
  if (count === 0 || tensor.ref.shape.reduce((a, b) => a * b, 1) !== count) throw misfit(place, tensor, due);
}

/** Whether two kernel shapes are equal, counting a matrix as a 1x1 kernel. */
export function sameKernel(a: readonly number[], b: readonly number[]): boolean {
  const trim = (shape: readonly number[]) => {
    const kept = [...shape];
    while (kept.length > 1 && kept.at(-1) === 1) kept.pop();
    return String(kept);
  };
  return a.length > 0 && trim(a) === trim(b);
}
