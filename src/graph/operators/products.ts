/** Matrix products. */
import { elementsOf, type Shape, sameDim, sameShape } from "../dim.ts";
import { apply, type Computes, mismatch, type Operator, type Value } from "../value.ts";
import { add } from "./elementwise.ts";
import { reshape } from "./layout.ts";

/** Which operand's last two axes are swapped before the product. */
type Transposed = "none" | "first" | "second";

type Product = (a: Value, b: Value, transposed: Transposed) => Value;

const productOf = (name: string, computes: Computes, product: Product): Operator<{ transposed: Transposed }> => ({
  name,
  computes,
  infer: (inputs, { transposed }) => {
    const [a, b] = inputs as [Value, Value];
    const [rows, innerA] = transposed === "first" ? swapped(a.shape) : a.shape.slice(-2);
    const [innerB, columns] = transposed === "second" ? swapped(b.shape) : b.shape.slice(-2);
    const batchFits =
      (b.shape.length === 2 && transposed !== "first") || sameShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
    if (innerA === undefined || columns === undefined || !batchFits || !sameDim(innerA, innerB!)) {
      mismatch(transposed === "none" ? name : `${name}, ${transposed} transposed,`, inputs, "the inner sizes differ");
    }
    return { shape: [...a.shape.slice(0, -2), rows!, columns], dtype: a.dtype };
  },
  emit: (to, [a, b], { transposed }, value) => {
    if (transposed === "none") return to.node("MatMul", [a!, b!]);
    const [first, second] = [transposed === "first", transposed === "second"];
    if (to.target.fused.has("matmul")) {
      return to.node("FusedMatMul", [a!, b!], { transA: Number(first), transB: Number(second) }, "com.microsoft");
    }
    const flip = (name: string, of: Value) => {
      const rank = of.shape.length;
      return to.node("Transpose", [name], { perm: [...Array(rank - 2).keys(), rank - 1, rank - 2] });
    };
    const [va, vb] = value.inputs as [Value, Value];
    return to.node("MatMul", [first ? flip(a!, va) : a!, second ? flip(b!, vb) : b!]);
  },
  gradient: ({ g, inputs, attributes: { transposed } }) => {
    const [a, b] = inputs as [Value, Value];
    if (transposed === "first") return [product(b, g, "second"), product(a, g, "none")];
    const ga = product(g, b, transposed === "none" ? "second" : "none");
    const [ra, rg] = b.shape.length === 2 ? [asMatrix(a), asMatrix(g)] : [a, g];
    return [ga, transposed === "none" ? product(ra, rg, "first") : product(rg, ra, "first")];
  },
});

const swapped = (shape: Shape): Shape => [...shape.slice(-1), ...shape.slice(-2, -1)];

/** Flattens all axes but the last: [rows, last]. */
const asMatrix = (x: Value): Value =>
  x.shape.length === 2 ? x : reshape(x, [elementsOf(x.shape.slice(0, -1)), x.shape.at(-1)!]);

/** a [..., m, k] times b [k, n] or [..., k, n], one of which may have its last two axes swapped. */
export const matmulOf: Product = (a, b, transposed) => apply(matmulOperator, [a, b], { transposed });

const matmulOperator = productOf("matmul", "real", matmulOf);

/** {@link matmulOf} in float32 whatever the target's type: for sums too long for a smaller type. */
export const matmulInFloat32: Product = (a, b, transposed) => apply(matmulInFloat32Operator, [a, b], { transposed });

const matmulInFloat32Operator = productOf("matmulInFloat32", "float32", matmulInFloat32);

/** a [..., m, k] times b [k, n] or [..., k, n]. */
export const matmul = (a: Value, b: Value): Value => matmulOf(a, b, "none");

/** x [..., in] through a linear layer with PyTorch's layout: weight [out, in], bias [out]. */
export function linear(x: Value, weight: Value, bias?: Value): Value {
  const y = matmulOf(x, weight, "second"); // [..., out]
  return bias ? add(y, bias) : y;
}
