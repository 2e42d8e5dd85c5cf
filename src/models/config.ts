/** Reads a component's config.json: what a model function needs of it, with an error that names the key. */
import { z } from "zod";
import { TillerError } from "../errors/index.ts";

/** Parses `config` by `schema`; keys the schema does not name are ignored, as the reference ignores them. */
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

/** A key that may be absent or hold the one value Tiller implements. What `null` means differs from key to key: see {@link off}. */
export const only = <T extends z.core.util.Literal>(value: T) => z.literal(value).optional();

/** A switch that must be off; to the reference null is as good as false. */
export const off = z.literal([false, null as never]).optional();

/** A key whose feature is off where it is null or absent. */
export const none = z.null().optional();

/** A count that no network exceeds, so that a config's typing error does not keep the machine busy. */
export const count = z.number().int().positive().max(100_000);

/** A number for all blocks, or one for each. */
export const perBlock = z.union([count, z.array(count)]);

export const atBlock = (value: number | readonly number[], block: number): number =>
  typeof value === "number" ? value : value[block]!;
