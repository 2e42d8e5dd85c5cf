/** Matrix products that make up adapter weights. Matrices are row-major; sums are in double precision. */

/** a [rows, inner] times b [inner, columns]: [rows, columns]. */
export function product(a: Float32Array, b: Float32Array, rows: number, inner: number): Float32Array {
  const columns = b.length / inner;
  const result = new Float32Array(rows * columns);
  const sums = new Float64Array(columns);
  for (let i = 0; i < rows; i++) {
    sums.fill(0);
    for (let k = 0; k < inner; k++) {
      const factor = a[i * inner + k]!;
      for (let j = 0; j < columns; j++) sums[j]! += factor * b[k * columns + j]!;
    }
    result.set(sums, i * columns);
  }
  return result;
}

/** The transpose of a [rows, columns]. */
export function transposed(a: Float32Array, rows: number): Float32Array {
  const columns = a.length / rows;
  const result = new Float32Array(a.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) result[j * rows + i] = a[i * columns + j]!;
  return result;
}

/** Contracts a core's [i, j, area] second axis with b [j, inner]: [i, inner, area]. */
export function throughSecond(core: Float32Array, b: Float32Array, i: number, j: number): Float32Array {
  const [area, inner] = [core.length / (i * j), b.length / j];
  const across = transposed(b, j); // [inner, j]
  const result = new Float32Array(i * inner * area);
  for (let n = 0; n < i; n++) {
    result.set(product(across, core.subarray(n * j * area, (n + 1) * j * area), inner, j), n * inner * area);
  }
  return result;
}

/** The Kronecker product of a [rows, columns] and b [out, in, area]: [rows * out, columns * in, area]. */
export function kronecker(
  a: Float32Array,
  [rows, columns]: readonly [number, number],
  b: Float32Array,
  [out, inner]: readonly [number, number],
): Float32Array {
  const area = b.length / (out * inner);
  const result = new Float32Array(a.length * b.length);
  for (let i = 0; i < rows; i++) {
    for (let o = 0; o < out; o++) {
      for (let j = 0; j < columns; j++) {
        const factor = a[i * columns + j]!;
        const from = o * inner * area;
        const to = ((i * out + o) * columns + j) * inner * area;
        for (let n = 0; n < inner * area; n++) result[to + n] = factor * b[from + n]!;
      }
    }
  }
  return result;
}
