/** The parts of a model that omega may name: its components that adapters change, and their blocks. */
import { type Adapter, sites } from "../adapters/index.ts";
import { TillerError } from "../errors/index.ts";
import type { Model } from "../families/family.ts";
import type { Omega } from "../guidance/index.ts";
import { partsIn } from "../guidance/omega.ts";

/** The parts that a module or tensor of a component belongs to, the most specific first. */
export const partsAt = (
  { blocks }: Pick<Model["denoiser"], "blocks">,
  component: string,
  path: string,
): readonly string[] => [...(blocks?.[component]?.(path) ?? []), component];

/** A warning for each part that omega names and no adapter changes. */
export function idleParts(
  { denoiser }: Pick<Model, "denoiser">,
  omega: Omega,
  adapters: readonly { readonly adapter: Adapter }[],
): string[] {
  const changed = sites(adapters.map(({ adapter }) => adapter));
  const names = new Set(
    [...changed].flatMap(([name, paths]) => [...paths].flatMap((path) => partsAt(denoiser, name, path))),
  );
  if (names.size === 0) return [];
  return partsIn(omega)
    .filter((name) => !names.has(name))
    .map((name) => `omega for ${name} has no effect: no adapter changes that part`);
}

/** @throws TillerError if omega names a part that the model does not have. */
export function refuseOtherParts(
  { components, steered, denoiser }: Pick<Model, "components" | "steered" | "denoiser">,
  omega: Omega,
): void {
  const named = partsIn(omega);
  if (named.length === 0) return;
  const all = new Set(
    steered.flatMap((name) => [...components.get(name)!.weights.keys()].flatMap((key) => partsAt(denoiser, name, key))),
  );
  const other = named.find((name) => !all.has(name));
  if (other === undefined) return;
  const listed = new Intl.ListFormat("en-GB", { type: "disjunction" }).format([...all].sort());
  throw new TillerError("setting-invalid", `omega ${omega}: this model has no part ${other}: name ${listed}.`);
}
