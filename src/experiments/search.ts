/**
 * Searches for the omega most faithful to the subject that stays faithful to the text, by successive halving (Karnin, Koren and
 * Somekh, Almost Optimal Exploration in Multi-Armed Bandits, 2013): all candidates are drawn on the first prompts; the better half
 * goes on to more of them. Every comparison is with cfg on the same prompts and seeds.
 */
import { type Estimate, errorWith, estimate, type Interval, intervalOf, type Measured } from "./crossed.ts";
import { type Chances, chancesOf, chancesTogether, smallestSeen } from "./verdict.ts";

/** A setting that is tried. */
export interface Candidate {
  /** At 1 it is cfg. */
  readonly omega: number;
  /** The guidance scale. */
  readonly scale: number;
}

/** Where a candidate is tried: one picture. */
export interface Place {
  readonly prompt: string;
  readonly seed: number;
}

/** A picture's scores. */
export interface Drawn extends Place {
  readonly dino: number;
  readonly clipT: number;
}

/** Draws and measures the candidates at the places, each list in the order of the candidates. */
export type Measure = (
  candidates: readonly Candidate[],
  places: readonly Place[],
) => Promise<readonly (readonly Drawn[])[]>;

/** A candidate beside cfg, on the same prompts and seeds. */
export interface Tried extends Candidate {
  /** Number of prompts. */
  readonly prompts: number;
  /** Number of pictures. */
  readonly pictures: number;
  /** DINO over cfg's. */
  readonly dino: Interval;
  /** CLIP-T over cfg's. */
  readonly clipT: Interval;
  /** CLIP-T over the least share of cfg's that is to be kept. */
  readonly kept: Interval;
}

/** What a search came to. */
export interface Found {
  /** The best candidate: of those that keep the text, the most faithful to the subject; undefined if cfg is. */
  readonly best?: Tried | undefined;
  /** Whether it is certain that the best is better than cfg and keeps the text; corrected for the number of candidates. */
  readonly decided: boolean;
  /** Others that look better than cfg and cannot be told from the best in DINO, on the prompts that both have. */
  readonly alike: readonly Tried[];
  /** All candidates, in the order given; each as it was last drawn. */
  readonly tried: readonly Tried[];
  /** Pictures that would decide it in four of five searches, if the effect is as measured; undefined if it is decided, or hopeless. */
  readonly needs?: number | undefined;
  /** Pictures drawn, cfg's included. */
  readonly pictures: number;
}

/** The least prompts behind a comparison. */
export const leastPrompts = 8;

/** The probability of a wrong proposal. */
const level = 0.025;

/** The least budget for so many candidates and prompts. */
export const leastBudget = (candidates: number, prompts: number): number =>
  (candidates + 1) * Math.min(leastPrompts, prompts);

/**
 * @param cfg The baseline: omega 1 at the scale that candidates are compared with.
 * @param prompts In the order in which they are drawn.
 * @param budget The most pictures, at least {@link leastBudget}.
 * @param floor The least share of cfg's CLIP-T to keep.
 */
export async function search(
  candidates: readonly Candidate[],
  cfg: Candidate,
  { prompts, budget, floor }: { readonly prompts: readonly string[]; readonly budget: number; readonly floor: number },
  measure: Measure,
): Promise<Found> {
  const place = (i: number): Place => ({ prompt: prompts[i % prompts.length]!, seed: Math.floor(i / prompts.length) });
  const drawn = new Map<Candidate, Drawn[]>([cfg, ...candidates].map((one) => [one, []]));
  let [pictures, count, living] = [0, 0, candidates];
  const draw = async (more: number) => {
    const those = [cfg, ...living];
    const places = Array.from({ length: more }, (_, i) => place(count + i));
    for (const [i, found] of (await measure(those, places)).entries()) drawn.get(those[i]!)!.push(...found);
    pictures += more * those.length;
    count += more;
  };
  const compared = (one: Candidate) => compare(one, drawn.get(one)!, drawn.get(cfg)!, floor);

  await draw(Math.min(leastPrompts, prompts.length));
  for (let last = false; !last; ) {
    const ranked = living.map(compared).sort(byFidelity);
    living = ranked.slice(0, Math.max(2, Math.ceil(living.length / 2))).map(({ candidate }) => candidate);
    last = living.length <= 2;
    const left = budget - pictures;
    const more = Math.floor(left / (last ? 1 : 2) / (living.length + 1));
    if (more > 0) await draw(more);
  }

  const tried = candidates.map((one) => compared(one).tried);
  const good = ({ tried }: Compared) => tried.kept.mean >= 0 && tried.dino.mean > 0;
  const ranked = candidates.map(compared).sort(byFidelity).filter(good);
  // On more prompts those of the last round may turn out to lose the text; then another of an earlier one is.
  const best = ranked.find(({ candidate }) => living.includes(candidate)) ?? ranked[0];
  if (!best) return { decided: false, alike: [], tried, pictures };
  const others = ranked.filter((one) => one !== best);
  const wrong = chancesTogether([best.gains, best.keeps]).ifFalse * candidates.length;
  const decided = wrong <= level;
  const alike = others.filter(({ candidate }) => {
    const shared = drawn.get(candidate)!.slice(0, best.tried.pictures);
    const { low } = intervalOf(paired(drawn.get(best.candidate)!.slice(0, shared.length), shared, ({ dino }) => dino));
    return !(low > 0);
  });
  const rows = living.includes(best.candidate) ? living.length + 1 : 2;
  return {
    best: best.tried,
    decided,
    alike: alike.map(({ tried }) => tried),
    tried,
    pictures,
    needs: decided
      ? undefined
      : needed([best.dino, best.kept], level / candidates.length, { pictures, count: best.tried.pictures, rows }),
  };
}

interface Compared {
  readonly candidate: Candidate;
  readonly tried: Tried;
  readonly dino: Estimate;
  readonly kept: Estimate;
  readonly gains: Chances;
  readonly keeps: Chances;
}

function compare(candidate: Candidate, own: readonly Drawn[], cfg: readonly Drawn[], floor: number): Compared {
  const dino = paired(own, cfg, ({ dino }) => dino);
  const clipT = paired(own, cfg, ({ clipT }) => clipT);
  const kept = paired(own, cfg, ({ clipT }) => clipT, floor);
  const [gain, keep] = [estimate(dino), estimate(kept)];
  return {
    candidate,
    tried: {
      ...candidate,
      prompts: new Set(own.map(({ prompt }) => prompt)).size,
      pictures: own.length,
      dino: intervalOf(dino),
      clipT: intervalOf(clipT),
      kept: intervalOf(kept),
    },
    dino: gain,
    kept: keep,
    gains: chancesOf({ is: "above" }, gain),
    keeps: chancesOf({ is: "above" }, keep),
  };
}

/** The differences to another candidate's scores, times `factor`, picture by picture. */
function paired(
  own: readonly Drawn[],
  others: readonly Drawn[],
  score: (one: Drawn) => number,
  factor = 1,
): Measured[] {
  const at = new Map(others.map((one) => [`${one.seed} ${one.prompt}`, one]));
  const several = own.some(({ seed }) => seed !== own[0]!.seed);
  return own.map((one) => ({
    concept: "subject",
    prompt: one.prompt,
    seed: several ? one.seed : undefined,
    value: score(one) - factor * score(at.get(`${one.seed} ${one.prompt}`)!),
  }));
}

/** Those that keep the text first, by subject fidelity; then the others by how close they come. */
function byFidelity({ tried: a }: Compared, { tried: b }: Compared): number {
  const value = ({ dino, kept }: Tried) => (kept.mean >= 0 ? 10 + dino.mean : kept.mean);
  return value(b) - value(a);
}

/** The most that is asked for: so many times what was drawn. */
const mostTimes = 100;

/** The pictures, those drawn included, with which both would be shown in four of five searches. */
function needed(
  both: readonly Estimate[],
  wrong: number,
  drawn: { readonly pictures: number; readonly count: number; readonly rows: number },
): number | undefined {
  for (let times = 1; times <= mostTimes; times *= 1.1) {
    const shown = both.every((one) => {
      const error = errorWith(one, { prompt: times });
      return smallestSeen({ is: "above" }, { error, freedom: one.freedom * times }, wrong) <= one.mean;
    });
    // Those drawn did not decide it, though so many would four times of five.
    if (shown) return drawn.pictures + Math.max(1, Math.ceil((times - 1) * drawn.count)) * drawn.rows;
  }
  return undefined;
}
