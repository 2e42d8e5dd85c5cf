/** Parses what a model function needs from a component's config.json; errors name the key. */
import { z } from "zod";
import { TillerError } from "../errors/index.ts";

/** Parses `config` with `schema`; keys not in the schema are ignored, as in the reference. */
export function parseConfig<S extends z.ZodType>(
  what: string,
  schema: S,
  config: Readonly<Record<string, unknown>>,
): z.output<S> {
  const result = schema.safeParse(config);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const key = issue?.path.join(".") ?? "";
  const found = JSON.stringify(
    issue?.path.reduce<unknown>((at, k) => (at as Record<PropertyKey, unknown>)?.[k], config),
  );
  throw new TillerError(
    "config-unsupported",
    `the ${what}'s config.json has ${key} = ${found}, which Tiller does not support (${issue?.message}).`,
  );
}

/** A key that may be absent or hold the one supported value. The meaning of `null` differs between keys: see {@link off}. */
export const only = <T extends z.core.util.Literal>(value: T) => z.literal(value).optional();

/** A boolean that must be false; the reference takes null as false. */
export const off = z.literal([false, null as never]).optional();

/** A key that must be null or absent, which turns its feature off. */
export const none = z.null().optional();

/** A count that no network exceeds, so that a typo in a config does not keep the machine busy. */
export const count = z.number().int().positive().max(100_000);

/** One number for all blocks, or one per block. */
export const perBlock = z.union([count, z.array(count)]);

export const atBlock = (value: number | readonly number[], block: number): number =>
  typeof value === "number" ? value : value[block]!;
