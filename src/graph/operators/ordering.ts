/** Constrains the order of computation beyond data dependencies. */
import { apply, type Operator, type Value } from "../value.ts";

const afterOperator: Operator<null> = {
  name: "after",
  computes: "asInputs",
  reads: 1,
  infer: ([x]) => ({ shape: x!.shape, dtype: x!.dtype }),
  // ONNX Runtime has no barrier. A reshape to the tensor's own shape copies nothing, and its target, "keep every size" plus
  // zero times an element of each condition, cannot be computed before the conditions.
  // OpenVINO needs static shapes, and computes in the given order.
  emit: (to, [x, ...conditions], _, value) => {
    if (to.target.engine === "openvino") return x!;
    const elements = conditions.map((condition, i) => {
      const flat =
        value.inputs[i + 1]!.shape.length === 1 ? condition : to.node("Reshape", [condition, to.integers([-1])]);
      const first = to.node("Slice", [flat, to.integers([0]), to.integers([1])]);
      return to.cast(first, to.operandTypes[i + 1]!, "float32");
    });
    const all = elements.length === 1 ? elements[0]! : to.node("Concat", elements, { axis: 0 });
    const number = to.node("Cast", [to.node("ReduceSum", [all], { keepdims: 0 })], { to: 7 });
    const keepSizes = to.integers(value.shape.map(() => 0));
    return to.node("Reshape", [x!, to.node("Add", [to.node("Mul", [number, to.integers([0])]), keepSizes])]);
  },
  gradient: ({ g, inputs }) => inputs.map((_, i) => (i === 0 ? g : undefined)),
};

/**
 * x, but nothing that uses the result is computed before the `conditions`.
 *
 * The runtime chooses its own order, but to save memory some values must be computed late and others early. x must have at
 * least one axis; conditions are float32.
 */
export const after = (x: Value, conditions: readonly Value[]): Value =>
  conditions.length === 0 || x.shape.length === 0 ? x : apply(afterOperator, [x, ...conditions], null);
