/** Refuses strengths that name a component the model lacks, and those at which an adapter's weights overflow. */
import { type Adapter, boundOf } from "../adapters/index.ts";
import { largest, magnitudeOf } from "../bytes/computable.ts";
import { TillerError } from "../errors/index.ts";
import { type AdapterStrength, strengthIn, strengthText } from "../recipe/adapter-strength.ts";

/**
 * @param share Multiple of the strength.
 * @throws TillerError if what the adapter changes, times `strength` and `share`, is too large to compute with.
 */
export function refuseStrength(
  { lowRank, full, differences }: Adapter,
  file: string,
  strength: AdapterStrength,
  share = 1,
): void {
  const overflows = (component: string, bound: number) => {
    const factor = Math.abs(strengthIn(strength, component) * share);
    // Reading the adapter already checked strengths up to 1.
    return factor > 1 && !(bound * factor <= largest);
  };
  const low = [...lowRank].some(([component, modules]) =>
    [...modules.values()].some((change) => overflows(component, boundOf(change))),
  );
  const whole = [...full, ...differences].some(([component, modules]) =>
    [...modules.values()].some(({ data }) => overflows(component, magnitudeOf(data))),
  );
  if (!low && !whole) return;
  const at = typeof strength === "number" ? strength * share : strengthText(strength);
  throw new TillerError(
    "setting-invalid",
    `${file} overflows at ${at}, its strength times the method's omega: choose a smaller strength or omega.`,
    { paths: [file] },
  );
}

/**
 * @param steered The model's components that adapters change.
 * @throws TillerError if a strength is for another component.
 */
export function refuseOtherComponents(file: string, strength: AdapterStrength, steered: readonly string[]): void {
  if (typeof strength === "number") return;
  const other = Object.keys(strength).find((component) => !steered.includes(component));
  if (other === undefined) return;
  throw new TillerError(
    "setting-invalid",
    `${file} has a strength for ${other}, which adapters of this model do not change: name ${steered.join(" or ")}.`,
    { paths: [file] },
  );
}
