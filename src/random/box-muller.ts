/**
 * Box-Muller in float32, with the same rounding as PyTorch's CPU kernel on x86.
 *
 * PyTorch does not call the C library here: its AVX2 kernel evaluates the single-precision Cephes polynomials (logf,
 * sinf, cosf), and the compiler fuses every product that feeds a sum. Both are reproduced below, so that the normals equal
 * PyTorch's bit for bit. With correctly rounded functions instead, they would differ by up to 1.7e-6.
 */

const f32 = Math.fround;

/** a * b + c with one rounding: the product of two float32 values is exact in double precision. */
const fma = (a: number, b: number, c: number): number => f32(a * b + c);

const constants = (...values: number[]): readonly number[] => values.map(f32);

const twoPi = f32(2 * Math.PI);
const fourOverPi = f32(4 / Math.PI);
const sqrtHalf = f32(Math.SQRT1_2);

/** log(1 + x) = x - x^2 / 2 + x^3 P(x), highest power first. */
const logP = constants(
  7.0376836292e-2,
  -1.151461031e-1,
  1.167699874e-1,
  -1.2420140846e-1,
  1.4249322787e-1,
  -1.6668057665e-1,
  2.0000714765e-1,
  -2.4999993993e-1,
  3.3333331174e-1,
);
/** log 2 in two parts, so that a whole number times the first is exact. */
const [log2Low, log2High] = constants(-2.1219444e-4, 0.693359375) as [number, number];
/** pi / 4 in three parts, negated. */
const [pi4High, pi4Middle, pi4Low] = constants(-0.78515625, -2.4187564849853516e-4, -3.774894977445941e-8) as [
  number,
  number,
  number,
];
const sinP = constants(-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1);
const cosP = constants(2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2);

const polynomial = (coefficients: readonly number[], x: number): number => {
  let y = coefficients[0]!;
  for (let i = 1; i < coefficients.length; i++) y = fma(y, x, coefficients[i]!);
  return y;
};

/** Natural logarithm of a whole multiple of 2^-24 in (0, 1], the resolution of the uniforms. */
function log(value: number): number {
  let exponent = 8 - Math.clz32(value * 2 ** 24);
  let x = value * 2 ** -exponent; // mantissa in [0.5, 1)
  if (x < sqrtHalf) {
    exponent -= 1;
    x = f32(f32(x - 1) + x);
  } else {
    x = f32(x - 1);
  }
  const z = f32(x * x);
  let y = fma(f32(polynomial(logP, x) * x), z, f32(exponent * log2Low));
  y = f32(y - f32(z * 0.5));
  return fma(exponent, log2High, f32(x + y));
}

/**
 * Turns uniforms into normals in place: values j and j + 8 of the block make one pair, for j in 0..7.
 *
 * radius = sqrt(-2 log(1 - u[j])), theta = 2 pi u[j + 8]; the pair becomes radius cos(theta), radius sin(theta).
 *
 * @param data float32 values; the sixteen from `offset` on are uniforms in [0, 1).
 */
export function boxMuller16(data: Float32Array, offset: number): void {
  for (let j = offset; j < offset + 8; j++) {
    const radius = f32(Math.sqrt(f32(-2 * log(f32(1 - data[j]!)))));
    const theta = f32(twoPi * data[j + 8]!);

    const octant = (Math.trunc(f32(theta * fourOverPi)) + 1) & ~1;
    const x = fma(octant, pi4Low, fma(octant, pi4Middle, fma(octant, pi4High, theta))); // in [-pi/4, pi/4]
    const z = f32(x * x);
    const cosine = f32(fma(f32(polynomial(cosP, z) * z), z, -f32(z * 0.5)) + 1);
    const sine = fma(f32(polynomial(sinP, z) * z), x, x);

    const swapped = (octant & 2) !== 0;
    const sin = swapped ? cosine : sine;
    const cos = swapped ? sine : cosine;
    data[j] = radius * (((octant - 2) & 4) === 0 ? -cos : cos);
    data[j + 8] = radius * ((octant & 4) !== 0 ? -sin : sin);
  }
}
