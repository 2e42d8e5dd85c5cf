/**
 * Axis sizes: plain numbers, or integer polynomials in named symbols such as `height` that stay open until a run.
 *
 * So one compiled graph serves every batch and picture size, and shape errors are still found while recording.
 */

/** A polynomial, as coefficients by monomial. A monomial is its sorted atoms joined by "*"; "" is the constant term. */
export interface Expression {
  readonly terms: ReadonlyMap<string, number>;
  /** Canonical spelling: equal expressions have equal keys. */
  readonly key: string;
}

export type Dim = number | Expression;
export type Shape = readonly Dim[];

/** A named open size. */
export const symbol = (name: string): Dim => simplify(new Map([[name, 1]]));

export const addDims = (a: Dim, b: Dim): Dim => {
  const sum = new Map(termsOf(a));
  for (const [monomial, c] of termsOf(b)) sum.set(monomial, (sum.get(monomial) ?? 0) + c);
  return simplify(sum);
};

export const multiplyDims = (a: Dim, b: Dim): Dim => {
  const product = new Map<string, number>();
  for (const [ma, ca] of termsOf(a)) {
    for (const [mb, cb] of termsOf(b)) {
      const monomial = [...split(ma), ...split(mb)].sort().join("*");
      product.set(monomial, (product.get(monomial) ?? 0) + ca * cb);
    }
  }
  return simplify(product);
};

export const subtractDims = (a: Dim, b: Dim): Dim => addDims(a, multiplyDims(b, -1));

/** floor(a / n) for an integer n: the part that divides exactly is taken out, the rest becomes an opaque atom. */
export const floorDivide = (a: Dim, n: number): Dim => {
  const quotient = new Map<string, number>();
  const rest = new Map<string, number>();
  for (const [monomial, c] of termsOf(a)) {
    const whole = Math.floor(c / n);
    if (whole !== 0) quotient.set(monomial, whole);
    if (c - whole * n !== 0) rest.set(monomial, c - whole * n);
  }
  const remainder = simplify(rest);
  if (typeof remainder === "number") return simplify(quotient); // 0 <= remainder < n
  // An atom's name must not contain "*", which separates the atoms of a monomial.
  return addDims(simplify(quotient), symbol(`floor((${remainder.key.replaceAll("*", "\u00b7")})/${n})`));
};

/** The terms of an open size: a coefficient times atoms, each a symbol or the floor of a quotient. */
export const polynomial = (d: Expression): { coefficient: number; atoms: Expression[] }[] =>
  [...d.terms].map(([monomial, coefficient]) => ({
    coefficient,
    atoms: split(monomial).map((atom) => symbol(atom) as Expression),
  }));

/** The number that a size stands for, with the symbols' numbers; symbols that are not given are 0. */
export function sizeOf(d: Dim, sizes: Readonly<Record<string, number>>): number {
  if (typeof d === "number") return d;
  let total = 0;
  for (const [monomial, coefficient] of d.terms) {
    total += split(monomial).reduce((product, atom) => product * atomSize(atom, sizes), coefficient);
  }
  return total;
}

/** A symbol's number, or that of a quotient as {@link floorDivide} writes it. */
function atomSize(atom: string, sizes: Readonly<Record<string, number>>): number {
  const quotient = /^floor\(\((.*)\)\/(\d+)\)$/.exec(atom);
  if (!quotient) return sizes[atom] ?? 0;
  return Math.floor(keySize(quotient[1]!, sizes) / Number(quotient[2]));
}

/** The number of a polynomial by its key inside a quotient, such as `height·width-3`. */
function keySize(key: string, sizes: Readonly<Record<string, number>>): number {
  let [depth, total, from] = [0, 0, 0];
  const term = (text: string): number => {
    const [, sign, rest] = /^([+-]?)(.*)$/s.exec(text)!;
    const factors = partsOf(rest!, "\u00b7").map((factor) =>
      /^\d+$/.test(factor) ? Number(factor) : atomSize(factor, sizes),
    );
    return factors.reduce((a, b) => a * b, sign === "-" ? -1 : 1);
  };
  for (let i = 0; i < key.length; i++) {
    if (key[i] === "(") depth++;
    else if (key[i] === ")") depth--;
    else if (depth === 0 && i > from && (key[i] === "+" || key[i] === "-")) {
      total += term(key.slice(from, i));
      from = i;
    }
  }
  return total + term(key.slice(from));
}

/** `text` split at a separator outside of parentheses. */
function partsOf(text: string, separator: string): string[] {
  const parts = [""];
  let depth = 0;
  for (const sign of text) {
    if (sign === "(") depth++;
    if (sign === ")") depth--;
    if (sign === separator && depth === 0) parts.push("");
    else parts[parts.length - 1] += sign;
  }
  return parts;
}

export const sameDim = (a: Dim, b: Dim): boolean => a === b || dimKey(a) === dimKey(b);

export const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((d, i) => sameDim(d, b[i]!));

/** Product of all sizes. */
export const elementsOf = (shape: Shape): Dim => shape.reduce<Dim>(multiplyDims, 1);

export const dimKey = (d: Dim): string => (typeof d === "number" ? String(d) : d.key);

/** A shape as error messages print it, such as `[batch, 4, height, width]`. */
export const showShape = (shape: Shape): string => `[${shape.map(dimKey).join(", ")}]`;

const termsOf = (d: Dim): ReadonlyMap<string, number> => (typeof d === "number" ? new Map([["", d]]) : d.terms);

const split = (monomial: string): string[] => (monomial === "" ? [] : monomial.split("*"));

function simplify(terms: ReadonlyMap<string, number>): Dim {
  const kept = [...terms].filter(([, c]) => c !== 0).sort(([a], [b]) => (a < b ? 1 : -1));
  if (kept.length === 0) return 0;
  if (kept.length === 1 && kept[0]![0] === "") return kept[0]![1];
  const key = kept
    .map(([m, c]) => (m === "" ? String(c) : c === 1 ? m : `${c}*${m}`))
    .join("+")
    .replaceAll("+-", "-");
  return { terms: new Map(kept), key };
}
