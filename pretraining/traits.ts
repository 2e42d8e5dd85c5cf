/** An individual's traits as numbers: targets for a network that distinguishes individuals. */
import { type Colour, css } from "../src/world/colour.ts";
import { type Individual, individualOf } from "../src/world/render.ts";
import { subjects } from "../src/world/subjects/index.ts";

export interface TraitValues {
  /** Standardised over all kinds; 0 if the individual has no such trait. */
  readonly values: Float32Array;
  /** 1 for traits that it has. */
  readonly present: Float32Array;
}

export interface TraitReader {
  /** Number of values. */
  readonly width: number;
  readonly read: (individual: Individual) => TraitValues;
}

/** Individuals of each kind used for means and standard deviations. */
const sampled = 200;

/** Maps individuals of all kinds to values, each trait at a fixed index. */
export function traitReader(): TraitReader {
  const all = [...subjects.keys()].flatMap((noun) =>
    Array.from({ length: sampled }, (_, seed) => fieldsOf(individualOf(noun, seed))),
  );
  const names = [...new Set(all.flatMap((fields) => [...fields.keys()]))].filter((name) => !name.endsWith("="));
  const columns = names.map((name) => {
    const values = all.map((fields) => numberOf(fields, name)).filter((value) => value !== undefined);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const square = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    return { name, mean, deviation: Math.sqrt(square) || 1 };
  });
  return {
    width: columns.length,
    read(individual) {
      const fields = fieldsOf(individual);
      const values = columns.map(({ name, mean, deviation }) => {
        const value = numberOf(fields, name);
        return value === undefined ? undefined : (value - mean) / deviation;
      });
      return {
        values: Float32Array.from(values, (value) => value ?? 0),
        present: Float32Array.from(values, (value) => Number(value !== undefined)),
      };
    },
  };
}

/** Values by name: `stout`; for a choice `tail=curl`, which is 1; for every trait `tail=`, which is 0. */
type Fields = ReadonlyMap<string, number>;

function fieldsOf({ traits }: Individual): Fields {
  const fields = new Map<string, number>();
  const put = (name: string, value: unknown): void => {
    if (Array.isArray(value)) for (const [i, one] of value.entries()) put(`${name} ${i}`, one);
    else if (isColour(value)) put(name, bytesOf(value));
    else if (typeof value === "number" && !Number.isInteger(value)) fields.set(name, value);
    else fields.set(`${name}=${value}`, 1);
    fields.set(`${name}=`, 0);
  };
  for (const [name, value] of Object.entries(traits as Readonly<Record<string, unknown>>)) put(name, value);
  return fields;
}

/** 0 for another option of a choice; undefined if the individual has no such trait. */
function numberOf(fields: Fields, name: string): number | undefined {
  const choice = /^(.*=)./.exec(name)?.[1];
  return fields.get(name) ?? (choice === undefined ? undefined : fields.get(choice));
}

const isColour = (value: unknown): value is Colour =>
  typeof value === "object" && value !== null && "h" in value && "s" in value && "l" in value;

const bytesOf = (colour: Colour): number[] =>
  [1, 3, 5].map((at) => Number.parseInt(css(colour).slice(at, at + 2), 16) / 255 + 1e-6);
