/** Decides findings from the results of experiments. */
import { TillerError } from "../errors/index.ts";
import { combined } from "./combined.ts";
import { type Estimate, errorWith, estimate, type Interval, intervalOf } from "./crossed.ts";
import type { Claim, Finding, FindingsFile } from "./findings-file.ts";
import type { ArmResult, Results } from "./results.ts";
import {
  type Chances,
  chancesOf,
  chancesTogether,
  distanceOf,
  smallestSeen,
  type Verdict,
  verdictsOf,
} from "./verdict.ts";

/** A claim with what was measured. */
export interface ClaimResult {
  /** The claim in words. */
  readonly says: string;
  /** The metric it is about. */
  readonly metric: Claim["metric"];
  /** What it claims: above or below 0, or within a margin. */
  readonly claimed: Claim["claimed"];
  /** The effect and its 95 % interval, paired over concepts, prompts and seeds. */
  readonly effect: Interval;
  /** The paper's value, where it has one. */
  readonly published?: number | undefined;
  /** Number of concepts. */
  readonly concepts: number;
  /** Number of pictures in all its rows. */
  readonly pictures: number;
  /** The smallest effect, or margin, that four of five such runs would show. */
  readonly smallestSeen: number;
  /** The verdict on this claim by itself, not corrected for others. */
  readonly alone: Verdict;
  /** What would decide it in four of five runs, if the effect is as measured and it is not decided. */
  readonly needs?: Needs | undefined;
}

/** How much more must be drawn; each is absent if a thousand times do not suffice. */
export interface Needs {
  /** So many times the prompts, on these concepts. */
  readonly timesPrompts?: number | undefined;
  /** So many times the concepts, on prompts like these. */
  readonly timesConcepts?: number | undefined;
}

/** A finding with its verdict. */
export interface FindingResult {
  /** The finding's number. */
  readonly number: number;
  /** The finding in words. */
  readonly says: string;
  /** Corrected for the number of findings and of claims. */
  readonly verdict: Verdict;
  /** Names of the experiments that decided it, in the order of the file. */
  readonly from: readonly string[];
  /** Its claims; none if there are no results at hand. */
  readonly claims: readonly ClaimResult[];
}

/**
 * Every finding's verdict from the results at hand, by experiment. Verdicts are corrected for all findings that have results.
 *
 * @throws TillerError if a row is missing in results, or a finding's results are of different models.
 */
export function decide({ findings, instead }: FindingsFile, results: ReadonlyMap<string, Results>): FindingResult[] {
  const measured = findings.map((finding) => {
    const names = namesFor(finding, instead, results);
    const claims = names ? finding.claims.map((claim) => measure(claim, names, results)) : [];
    return { finding, from: [...new Set(names?.values() ?? [])], claims };
  });
  const decidable = measured.filter(({ claims }) => claims.length > 0);
  const verdicts = verdictsOf(decidable.map(({ claims }) => chancesTogether(claims.map(({ chances }) => chances))));
  return measured.map((one): FindingResult => {
    const { finding, from, claims } = one;
    const verdict = verdicts[decidable.indexOf(one)] ?? "undecided";
    return { number: finding.number, says: finding.says, verdict, from, claims: claims.map(({ result }) => result) };
  });
}

/** The experiments that decide a finding, by the names in its claims; undefined if their results are not at hand. */
function namesFor(
  { claims }: Finding,
  instead: FindingsFile["instead"],
  results: ReadonlyMap<string, Results>,
): ReadonlyMap<string, string> | undefined {
  const asked = [...new Set(claims.flatMap(({ terms }) => terms.map(({ experiment }) => experiment)))];
  const others = asked.map((name) => instead[name] ?? name);
  // All or none: rows of different experiments are compared, so they must be drawn alike.
  for (const names of [asked, others])
    if (names.every((name) => results.has(name))) return new Map(asked.map((name, i) => [name, names[i]!]));
  return undefined;
}

function measure(
  { terms, metric, claimed, says, published }: Claim,
  names: ReadonlyMap<string, string>,
  results: ReadonlyMap<string, Results>,
): { result: ClaimResult; chances: Chances } {
  const rows = terms.map(({ experiment, row, factor }) => {
    const name = names.get(experiment)!;
    return { ...rowOf(results.get(name)!, row, name), factor };
  });
  const models = new Set([...names.values()].map((name) => results.get(name)!.identities.model));
  if (models.size > 1)
    throw new TillerError(
      "experiment-invalid",
      `the results of ${[...new Set(names.values())].join(" and ")} are of different models: run one of them anew.`,
    );
  const scores = combined(rows, metric);
  if (scores.length < 2)
    throw new TillerError("experiment-incomplete", `"${says}": the rows share too few prompts to be compared.`);
  const found = estimate(scores);
  const chances = chancesOf(claimed, found);
  const [alone] = verdictsOf([chances]);
  const shared = new Set(scores.map(({ concept, prompt }) => `${concept}/${prompt}`));
  const pictures = rows.reduce(
    (sum, { prompts }) =>
      sum + prompts.reduce((n, one) => n + (shared.has(`${one.concept}/${one.prompt}`) ? one.seeds.length : 0), 0),
    0,
  );
  const result: ClaimResult = {
    says,
    metric,
    claimed,
    effect: intervalOf(scores),
    published,
    concepts: new Set(scores.map(({ concept }) => concept)).size,
    pictures,
    smallestSeen: smallestSeen(claimed, found),
    alone: alone!,
    needs: alone === "undecided" ? needsOf(claimed, found) : undefined,
  };
  return { result, chances };
}

/** The row of this name: "pg 0.6", or with its fine-tuning method, "dreambooth, rank 4: pg 0.6". */
export function rowOf({ arms }: Pick<Results, "arms">, name: string, experiment: string): ArmResult {
  const found = arms.filter((arm) => name === arm.name || name === `${arm.personalisation}: ${arm.name}`);
  if (found.length === 1) return found[0]!;
  throw new TillerError(
    "experiment-invalid",
    `the results of ${experiment} have ${found.length === 0 ? "no row" : "several rows"} ${name}: they have ${arms.map((arm) => `${arm.personalisation}: ${arm.name}`).join("; ")}.`,
  );
}

/** The most that is asked for. */
const most = 1000;

function needsOf(claimed: Claim["claimed"], found: Estimate): Needs {
  const distance = distanceOf(claimed, found.mean);
  const freedom = found.freedom;
  const decides = (times: Parameters<typeof errorWith>[1]) =>
    smallestSeen(claimed, { error: errorWith(found, times), freedom }) <= distance;
  const least = (name: "prompt" | "concept") => {
    for (let times = 1; times <= most; times *= 1.25) if (decides({ [name]: times })) return Math.ceil(times * 10) / 10;
    return undefined;
  };
  return { timesPrompts: least("prompt"), timesConcepts: least("concept") };
}
