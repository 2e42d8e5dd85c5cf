/** Says what must be computed first where the values themselves leave it open. */
import { apply, type Operator, type Value } from "../value.ts";

const afterOperator: Operator<null> = {
  name: "after",
  computes: "asInputs",
  reads: 1,
  infer: ([x]) => ({ shape: x!.shape, dtype: x!.dtype }),
  // The runtime has no barrier. A reshape to the tensor's own shape copies nothing, and its target, "every size as it
  // is" plus zero times an element of each condition, cannot be known before they are.
  // OpenVINO wants shapes that are known before, and follows the order it was given.
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
 * x itself, but nothing that uses the result is computed before the `conditions` are.
 *
 * The runtime computes a graph in an order of its own; memory needs some things late and others early. x has one axis or
 * more; conditions are float32.
 */
export const after = (x: Value, conditions: readonly Value[]): Value =>
  conditions.length === 0 || x.shape.length === 0 ? x : apply(afterOperator, [x, ...conditions], null);
