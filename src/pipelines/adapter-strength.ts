/** Strengths that an adapter's numbers do not stand. */
import { type Adapter, boundOf } from "../adapters/index.ts";
import { largest, magnitudeOf } from "../bytes/computable.ts";
import { TillerError } from "../errors/index.ts";

/** @throws TillerError if what the adapter changes, times `strength`, is too large to compute with. */
export function refuseStrength({ lowRank, full, differences }: Adapter, file: string, strength: number): void {
  // Up to 1 reading the adapter has seen to it.
  if (Math.abs(strength) <= 1) return;
  const changes = [...lowRank.values()].flatMap((modules) => [...modules.values()]).map(boundOf);
  const matrices = [...full.values(), ...differences.values()]
    .flatMap((modules) => [...modules.values()])
    .map(({ data }) => magnitudeOf(data));
  if ([...changes, ...matrices].every((bound) => bound * Math.abs(strength) <= largest)) return;
  throw new TillerError(
    "setting-invalid",
    `${file} times ${strength}, its strength and the method's omega, has numbers too large to compute with.`,
    { paths: [file] },
  );
}
