/** Combines graphs: outputs of one become inputs of another. */
import { apply, type Outputs, topological, type Value } from "./value.ts";

/** The inputs that `outputs` depend on, by name. */
export function inputsOf(outputs: Outputs): ReadonlyMap<string, Value> {
  const inputs = topological(Object.values(outputs)).filter(({ operator }) => operator.name === "input");
  return new Map(inputs.map((value) => [(value.attributes as { name: string }).name, value]));
}

/** `outputs` with the inputs named in `values` replaced; other inputs stay. */
export function connect(outputs: Outputs, values: Outputs): Outputs {
  const replacements = new Map<Value, Value>();
  for (const [name, value] of inputsOf(outputs)) if (values[name]) replacements.set(value, values[name]);
  const names = Object.keys(outputs);
  const replaced = substitute(Object.values(outputs), replacements);
  return Object.fromEntries(names.map((name, i) => [name, replaced[i]!]));
}

/** `values` recorded again with some of the values they depend on replaced. */
export function substitute(values: readonly Value[], replacements: ReadonlyMap<Value, Value>): Value[] {
  const copies = new Map<Value, Value>(replacements);
  for (const value of topological(values, new Set(replacements.keys()))) {
    if (copies.has(value)) continue;
    const inputs = value.inputs.map((v) => copies.get(v)!);
    const same = inputs.every((v, i) => v === value.inputs[i]);
    copies.set(value, same ? value : apply(value.operator, inputs, value.attributes));
  }
  return values.map((v) => copies.get(v)!);
}
