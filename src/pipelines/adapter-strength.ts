/** Refuses strengths at which an adapter's weights overflow. */
import { type Adapter, boundOf } from "../adapters/index.ts";
import { largest, magnitudeOf } from "../bytes/computable.ts";
import { TillerError } from "../errors/index.ts";

/** @throws TillerError if what the adapter changes, times `strength`, is too large to compute with. */
export function refuseStrength({ lowRank, full, differences }: Adapter, file: string, strength: number): void {
  // Reading the adapter already checked strengths up to 1.
  if (Math.abs(strength) <= 1) return;
  const changes = [...lowRank.values()].flatMap((modules) => [...modules.values()]).map(boundOf);
  const matrices = [...full.values(), ...differences.values()]
    .flatMap((modules) => [...modules.values()])
    .map(({ data }) => magnitudeOf(data));
  if ([...changes, ...matrices].every((bound) => bound * Math.abs(strength) <= largest)) return;
  throw new TillerError(
    "setting-invalid",
    `${file} overflows at ${strength}, its strength times the method's omega: choose a smaller strength or omega.`,
    { paths: [file] },
  );
}
