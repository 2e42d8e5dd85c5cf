/**
 * The numbers in a Markdown page, made from the committed results. A page has blocks
 *
 *     <!-- numbers
 *     PG gains {sixteen | pg 0.6 - cfg | dino} in DINO.
 *     -->
 *     PG gains +0.037 [0.026, 0.048] in DINO.
 *     <!-- /numbers -->
 *
 * whose second half is made from the first. A hole names an experiment, a row or the difference of two, and a metric: the mean,
 * with its 95 % interval if it is a difference. A fourth part asks for less: `mean`, `low`, `high`, `signed` (the mean with its
 * sign), `range` ("0.037 (0.026 to 0.048)"), `bare` (without the brackets), or `above` (in how many concepts it is above 0).
 * `{pictures | sixteen | cfg}` is a row's number of pictures, `{rows | sixteen | cfg}` its rows per step. `{findings}` is a table of
 * the findings in results/findings, `{summary}` their numbers by verdict, `{finding | 4 | 1}` the effect of finding 4's first claim, `{verdict | 4}` its verdict.
 */
import { byConcept, combined, type Term } from "../src/experiments/combined.ts";
import { type Interval, intervalOf } from "../src/experiments/crossed.ts";
import { rowOf } from "../src/experiments/findings.ts";
import type { Findings, Results } from "../src/experiments/index.ts";
import type { MetricName } from "../src/metrics/fidelity.ts";

/** What pages are made from. */
export interface Sources {
  readonly results: (experiment: string) => Results;
  readonly findings: () => Findings;
}

const block = /<!-- numbers\n([\s\S]*?)\n-->\n[\s\S]*?\n<!-- \/numbers -->/g;

/** The page with its blocks made anew. */
export const withNumbers = (page: string, sources: Sources): string =>
  page.replace(block, (_, template: string) => {
    const made = template.replace(/\{([^{}]+)\}/g, (_, hole: string) => filled(hole.split(/\s*\|\s*/), sources));
    return `<!-- numbers\n${template}\n-->\n${made}\n<!-- /numbers -->`;
  });

/** How many blocks a page has. */
export const blocksOf = (page: string): number => [...page.matchAll(block)].length;

function filled([first, ...rest]: readonly string[], sources: Sources): string {
  switch (first) {
    case "pictures":
      return thousands(rowOf(sources.results(rest[0]!), rest[1]!, rest[0]!).pictures);
    case "rows":
      return String(Math.round(rowOf(sources.results(rest[0]!), rest[1]!, rest[0]!).rows * 100) / 100);
    case "findings":
      return findingsTable(sources.findings());
    case "summary":
      return summaryOf(sources.findings());
    case "finding":
      return shown(claimOf(rest, sources).effect, rest[2]);
    case "verdict":
      return findingOf(rest[0]!, sources).verdict;
    default:
      return score(first!, rest, sources);
  }
}

function score(experiment: string, [rows, metric, as]: readonly string[], sources: Sources): string {
  if (rows === undefined || metric === undefined) throw new Error(`{${experiment} | ${rows}} names no metric`);
  const [one, less] = rows.split(" - ").map((name) => rowOf(sources.results(experiment), name, experiment));
  const terms: Term[] = [
    { prompts: one!.prompts, factor: 1 },
    ...(less ? [{ prompts: less.prompts, factor: -1 }] : []),
  ];
  const scores = combined(terms, metric as MetricName);
  if (scores.length === 0) throw new Error(`${rows} of ${experiment} have no ${metric} in common`);
  if (as === "above") return String([...byConcept(scores).values()].filter((difference) => difference > 0).length);
  return shown(intervalOf(scores), as ?? (less ? undefined : "mean"));
}

function shown({ mean, low, high }: Interval, as: string | undefined): string {
  switch (as) {
    case undefined:
      return `${signed(mean)} [${three(low)}, ${three(high)}]`;
    case "mean":
      return three(mean);
    case "low":
      return three(low);
    case "high":
      return three(high);
    case "signed":
      return signed(mean);
    case "range":
      return `${three(mean)} (${three(low)} to ${three(high)})`;
    case "bare":
      return `${three(mean)}, ${three(low)} to ${three(high)}`;
    default:
      throw new Error(`a number cannot be shown as ${as}`);
  }
}

/** Without a sign before 0. */
const three = (value: number): string => value.toFixed(3).replace(/^-(?=0\.000$)/, "");
const signed = (value: number): string => (three(value).startsWith("-") ? three(value) : `+${three(value)}`);
const thousands = (value: number): string => String(value).replace(/(?<=\d)(?=(\d{3})+$)/g, ",");

function findingOf(number: string, sources: Sources) {
  const found = sources.findings().findings.find((one) => String(one.number) === number);
  if (!found) throw new Error(`there is no finding ${number}`);
  return found;
}

function claimOf([number, claim]: readonly string[], sources: Sources) {
  const found = findingOf(number!, sources).claims[Number(claim) - 1];
  if (!found) throw new Error(`finding ${number} has no claim ${claim}`);
  return found;
}

const labels: Readonly<Record<string, string>> = { dino: "DINO", clipI: "CLIP-I", clipT: "CLIP-T" };

function findingsTable({ findings }: Findings): string {
  const rows = findings.flatMap(({ number, says, verdict, claims }) => [
    `| **${number}. ${says}** | | **${verdict}** | | | | |`,
    ...claims.map(({ says, metric, effect, published, concepts, pictures, smallestSeen, alone }) =>
      [
        `| ${says}${says.includes(labels[metric]!) ? "" : ` (${labels[metric]})`}`,
        shown(effect, undefined),
        alone,
        published === undefined ? "" : signed(published),
        String(concepts),
        thousands(pictures),
        `${smallestSeen.toFixed(3)} |`,
      ].join(" | "),
    ),
  ]);
  return [
    "| finding and its claims | effect | verdict | paper | concepts | pictures | smallest seen |",
    "| --- | --- | --- | --- | --- | --- | --- |",
    ...rows,
  ].join("\n");
}

/** The findings' numbers by verdict. */
const summaryOf = ({ findings }: Findings): string =>
  (["held", "contradicted", "undecided"] as const)
    .flatMap((verdict) => {
      const those = findings.filter((one) => one.verdict === verdict).map(({ number }) => String(number));
      return those.length > 0
        ? [`${[those.slice(0, -1).join(", "), those.at(-1)].filter(Boolean).join(" and ")} ${verdict}`]
        : [];
    })
    .join(", ");
