import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  addDims,
  type Dim,
  dimKey,
  elementsOf,
  floorDivide,
  multiplyDims,
  polynomial,
  sameDim,
  sameShape,
  showShape,
  sizeOf,
  subtractDims,
  symbol,
} from "./dim.ts";

const [h, w] = [symbol("h"), symbol("w")];

interface Size {
  readonly dim: Dim;
  /** Its value at a given h and w. */
  readonly at: (h: number, w: number) => number;
}

const operations = {
  add: [addDims, (a: number, b: number) => a + b],
  subtract: [subtractDims, (a: number, b: number) => a - b],
  multiply: [multiplyDims, (a: number, b: number) => a * b],
} as const;

/** Sums, differences and products of h, w and small numbers; with `floors`, also quotients. */
const sizes = (floors: boolean): fc.Arbitrary<Size> =>
  fc.letrec<{ size: Size }>((tie) => {
    const both = fc
      .tuple(tie("size"), tie("size"), fc.constantFrom(...(["add", "subtract", "multiply"] as const)))
      .map(([a, b, kind]): Size => {
        const [ofDims, ofNumbers] = operations[kind];
        return { dim: ofDims(a.dim, b.dim), at: (h, w) => ofNumbers(a.at(h, w), b.at(h, w)) };
      });
    const quotient = fc
      .tuple(tie("size"), fc.integer({ min: 1, max: 5 }))
      .map(([a, n]): Size => ({ dim: floorDivide(a.dim, n), at: (h, w) => Math.floor(a.at(h, w) / n) }));
    return {
      size: fc.oneof(
        { maxDepth: 3 },
        fc.integer({ min: -3, max: 6 }).map((n): Size => ({ dim: n, at: () => n })),
        fc.constant<Size>({ dim: h, at: (h) => h }),
        fc.constant<Size>({ dim: w, at: (_, w) => w }),
        both,
        ...(floors ? [quotient] : []),
      ),
    };
  }).size;
const polynomials = sizes(false);
const anySize = sizes(true);

/** Evaluates a printed size as arithmetic. */
const computed = (key: string, h: number, w: number): number =>
  new Function("h", "w", "floor", `return ${key.replaceAll("·", "*")}`)(h, w, Math.floor);

describe("an open size", () => {
  test("is printed as arithmetic with the same value", () => {
    fc.assert(
      fc.property(anySize, fc.nat(30), fc.nat(30), ({ dim, at }, h, w) => {
        expect(computed(dimKey(dim), h, w) + 0).toBe(at(h, w) + 0); // no -0
      }),
    );
  });

  test("is the sum of its terms", () => {
    fc.assert(
      fc.property(anySize, ({ dim }) => {
        if (typeof dim === "number") return;
        const terms = polynomial(dim).map(({ coefficient, atoms }) => atoms.reduce<Dim>(multiplyDims, coefficient));
        expect(dimKey(terms.reduce(addDims))).toBe(dimKey(dim));
      }),
    );
  });

  test("that simplifies to a number is a plain number", () => {
    expect(subtractDims(addDims(h, 3), h)).toBe(3);
    expect(multiplyDims(h, 0)).toBe(0);
    expect(floorDivide(17, 4)).toBe(4);
    expect(floorDivide(-1, 4)).toBe(-1);
  });
});

describe("equal sizes compare equal, however they were computed:", () => {
  const law = (name: string, left: (a: Dim, b: Dim, c: Dim) => Dim, right: (a: Dim, b: Dim, c: Dim) => Dim) =>
    test(name, () => {
      fc.assert(
        fc.property(anySize, anySize, anySize, ({ dim: a }, { dim: b }, { dim: c }) => {
          const [x, y] = [left(a, b, c), right(a, b, c)];
          expect(sameDim(x, y)).toBe(true);
          expect(dimKey(x)).toBe(dimKey(y));
        }),
      );
    });
  law("sums in any order", (a, b) => addDims(a, b), (a, b) => addDims(b, a)); // biome-ignore format: a law a line
  law("sums of sums", (a, b, c) => addDims(addDims(a, b), c), (a, b, c) => addDims(a, addDims(b, c))); // biome-ignore format: a law a line
  law("products in any order", (a, b) => multiplyDims(a, b), (a, b) => multiplyDims(b, a)); // biome-ignore format: a law a line
  law("products of products", (a, b, c) => multiplyDims(multiplyDims(a, b), c), (a, b, c) => multiplyDims(a, multiplyDims(b, c))); // biome-ignore format: a law a line
  law("a product distributed over a sum", (a, b, c) => multiplyDims(a, addDims(b, c)), (a, b, c) => addDims(multiplyDims(c, a), multiplyDims(b, a))); // biome-ignore format: a law a line
  law("zero added, times one", (a) => multiplyDims(addDims(a, 0), 1), (a) => a); // biome-ignore format: a law a line
  law("a size minus itself", (a) => subtractDims(a, a), () => 0); // biome-ignore format: a law a line
});

test("polynomials with different values are different sizes", () => {
  fc.assert(
    fc.property(polynomials, polynomials, fc.nat(30), fc.nat(30), (a, b, h, w) => {
      if (a.at(h, w) !== b.at(h, w)) expect(sameDim(a.dim, b.dim)).toBe(false);
    }),
  );
  expect(sameShape([h, 4], [h, 4, 1])).toBe(false);
  expect(sameShape([h, w], [w, h])).toBe(false);
});

describe("a size divided down", () => {
  test("undoes a multiplication", () => {
    fc.assert(
      fc.property(anySize, fc.integer({ min: 1, max: 9 }), ({ dim }, n) => {
        expect(dimKey(floorDivide(multiplyDims(dim, n), n))).toBe(dimKey(dim));
      }),
    );
  });

  test("takes out whole multiples", () => {
    fc.assert(
      fc.property(anySize, anySize, fc.integer({ min: 1, max: 9 }), ({ dim: a }, { dim: b }, n) => {
        const [inside, outside] = [floorDivide(addDims(a, multiplyDims(b, n)), n), addDims(floorDivide(a, n), b)];
        expect(dimKey(inside)).toBe(dimKey(outside));
      }),
    );
  });

  test("keeps what does not divide as one atom", () => {
    expect(dimKey(floorDivide(addDims(multiplyDims(h, 2), 1), 2))).toBe("h");
    expect(dimKey(floorDivide(addDims(h, 1), 2))).toBe("floor((h+1)/2)");
    expect(dimKey(floorDivide(multiplyDims(h, w), 2))).toBe("floor((h·w)/2)");
  });
});

test("a size has the number that its symbols give it", () => {
  fc.assert(
    fc.property(polynomials, fc.nat(30), fc.nat(30), fc.integer({ min: 1, max: 9 }), ({ dim, at }, h, w, n) => {
      const size = (of: Dim) => sizeOf(of, { h, w });
      // 0 is added because -0 is not 0 to toBe.
      expect(size(dim) + 0).toBe(at(h, w) + 0);
      const quotient = Math.floor(at(h, w) / n);
      expect(size(floorDivide(dim, n)) + 0).toBe(quotient + 0);
      expect(size(floorDivide(floorDivide(dim, n), 2)) + 0).toBe(Math.floor(quotient / 2) + 0);
    }),
  );
});

test("shapes are printed readably", () => {
  expect(showShape([2, symbol("batch"), addDims(multiplyDims(h, w), 3)])).toBe("[2, batch, h*w+3]");
  expect(showShape([])).toBe("[]");
  expect(dimKey(elementsOf([h, 4, w]))).toBe("4*h*w");
  expect(elementsOf([])).toBe(1);
});
