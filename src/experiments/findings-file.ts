/** A file of findings (JSON): claims about rows of experiments, with margins stated before the first picture. */
import { dirname, join } from "node:path";
import { z } from "zod";
import { jsonObject, readJson } from "../bytes/json-file.ts";
import { TillerError } from "../errors/index.ts";
import { type MetricName, metricNames } from "../metrics/fidelity.ts";
import { wrongSetting } from "../wrong-setting.ts";
import { type GivenExperiment, readExperiment } from "./experiment.ts";
import type { Claimed } from "./verdict.ts";

/** Rows by name, `omega | pg 0.6`: the experiment's name, and the row's in its table; each with its factor. */
const rows = z.record(z.string(), z.number());

/** The slope of a line through rows by least squares, less that of others. */
const slope = z.strictObject({
  over: z.array(z.number()).min(2),
  rows: z.array(z.string()).min(2),
  less: z.array(z.string()).min(2).optional(),
});

const claimSchema = z
  .strictObject({
    says: z.string(),
    metric: z.enum(metricNames as [MetricName, ...MetricName[]]),
    rows: rows.optional(),
    slope: slope.optional(),
    is: z.enum(["above", "below", "within"]),
    /** The name of a margin, for "within". */
    margin: z.string().optional(),
    /** The paper's value, where it has one. */
    published: z.number().optional(),
  })
  .refine((claim) => (claim.rows === undefined) !== (claim.slope === undefined), "give rows or a slope")
  .refine((claim) => (claim.is === "within") === (claim.margin !== undefined), "within takes a margin, others none")
  .refine(
    ({ slope }) => !slope || [slope.rows, slope.less ?? slope.rows].every((one) => one.length === slope.over.length),
    "a slope has a row for each value",
  );

const schema = z.strictObject({
  /** Names of experiments, whose files are beside this one. */
  experiments: z.array(z.string()).min(1),
  /** Other experiments with rows of the same names, used for a finding while its own are not drawn. */
  instead: z.record(z.string(), z.string()).default({}),
  margins: z.record(z.string(), z.strictObject({ value: z.number().positive(), why: z.string() })).default({}),
  findings: z
    .array(z.strictObject({ number: z.number(), says: z.string(), claims: z.array(claimSchema).min(1) }))
    .min(1),
});

/** A row of an experiment and its factor in a claim. */
export interface ClaimTerm {
  /** The experiment's name. */
  readonly experiment: string;
  /** The row's name in the experiment's table. */
  readonly row: string;
  /** What its scores are multiplied by before the rows are added. */
  readonly factor: number;
}

/** A claim about a combination of rows. */
export interface Claim {
  /** The claim in words. */
  readonly says: string;
  /** The metric it is about. */
  readonly metric: MetricName;
  /** The rows whose scores are combined. */
  readonly terms: readonly ClaimTerm[];
  /** What is claimed of the combination's mean. */
  readonly claimed: Claimed;
  /** The paper's value, where it has one. */
  readonly published?: number | undefined;
}

/** A finding and the claims it consists of. */
export interface Finding {
  /** The finding's number. */
  readonly number: number;
  /** The finding in words. */
  readonly says: string;
  /** It holds if all of them do. */
  readonly claims: readonly Claim[];
}

/** A file of findings. */
export interface FindingsFile {
  /** The findings, in the order of the file. */
  readonly findings: readonly Finding[];
  /** The experiments that decide them, by name. */
  readonly experiments: ReadonlyMap<string, GivenExperiment>;
  /** Experiments used for a finding while its own have no results, by the name they stand for. */
  readonly instead: Readonly<Record<string, string>>;
  /** Margins with their reasons, by name. */
  readonly margins: Readonly<Record<string, { readonly value: number; readonly why: string }>>;
}

/** @throws TillerError if the file, or one of its experiments, cannot be read or has a wrong setting. */
export async function readFindings(file: string): Promise<FindingsFile> {
  const invalid = (what: string) => new TillerError("experiment-invalid", `${file}: ${what}.`, { paths: [file] });
  const parsed = schema.safeParse(await readJson(file, jsonObject));
  if (!parsed.success) throw invalid(wrongSetting(parsed.error));
  const { margins, instead, findings } = parsed.data;
  const experiments = new Map<string, GivenExperiment>();
  for (const name of parsed.data.experiments)
    experiments.set(name, await readExperiment(join(dirname(file), `${name}.json`)));

  const terms = (factors: Readonly<Record<string, number>>): ClaimTerm[] =>
    Object.entries(factors).map(([name, factor]) => {
      const [, experiment, row] = /^([^|]+?) \| (.+)$/.exec(name) ?? [];
      if (experiment === undefined) throw invalid(`write the row ${name} as EXPERIMENT | ROW`);
      if (!experiments.has(experiment)) throw invalid(`the experiment of ${name} is not among the experiments`);
      return { experiment, row: row!, factor };
    });
  return {
    experiments,
    instead,
    margins,
    findings: findings.map(({ claims, ...finding }) => ({
      ...finding,
      claims: claims.map(({ rows, slope, is, margin, ...claim }): Claim => {
        const stated = margin === undefined ? undefined : margins[margin];
        if (margin !== undefined && !stated) throw invalid(`there is no margin ${margin}`);
        const claimed: Claimed = is === "within" ? { is, margin: stated!.value } : { is };
        return { ...claim, terms: terms(rows ?? slopeFactors(slope!)), claimed };
      }),
    })),
  };
}

/** The factors of rows whose combination is the slope of the line through them. */
function slopeFactors({ over, rows, less = [] }: z.output<typeof slope>): Record<string, number> {
  const middle = over.reduce((sum, x) => sum + x, 0) / over.length;
  const squares = over.reduce((sum, x) => sum + (x - middle) ** 2, 0);
  const factors = over.map((x) => (x - middle) / squares);
  return Object.fromEntries([
    ...rows.map((row, i) => [row, factors[i]!] as const),
    ...less.map((row, i) => [row, -factors[i]!] as const),
  ]);
}
