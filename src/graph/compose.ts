/** Makes one graph of several: what one gives becomes another's input. */
import { apply, type Outputs, topological, type Value } from "./value.ts";

/** The inputs that `outputs` reach, by name. */
export function inputsOf(outputs: Outputs): ReadonlyMap<string, Value> {
  const inputs = topological(Object.values(outputs)).filter(({ operator }) => operator.name === "input");
  return new Map(inputs.map((value) => [(value.attributes as { name: string }).name, value]));
}

/** `outputs` with values in the place of the inputs of those names; inputs that are not named stay. */
export function connect(outputs: Outputs, values: Outputs): Outputs {
  const replacements = new Map<Value, Value>();
  for (const [name, value] of inputsOf(outputs)) if (values[name]) replacements.set(value, values[name]);
  const names = Object.keys(outputs);
  const replaced = substitute(Object.values(outputs), replacements);
  return Object.fromEntries(names.map((name, i) => [name, replaced[i]!]));
}

/** `values` recorded again with other values in the place of some that they depend on. */
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
