/** Gathers the results of an experiment's finished units. */
import { join, relative } from "node:path";
import { readPixels } from "#images";
import { methodOf } from "../guidance/index.ts";
import { byMetric, type EncodedBy, type MetricName, meanScores, metricLabels, scoresOf } from "../metrics/fidelity.ts";
import { type Encoders, encodePicture } from "../metrics/open-encoders.ts";
import { runtimeVersion } from "../runtime/index.ts";
import { version } from "../version.ts";
import { combined, type Term } from "./combined.ts";
import { type BenchConcept, referenceFiles } from "./concepts.ts";
import { type Interval, intervalOf } from "./crossed.ts";
import { type Arm, armName, armsOf, type Experiment, personalisationName } from "./experiment.ts";
import type { Cell, Identities } from "./plan.ts";
import type { PromptResult } from "./prompt-result.ts";
import { readDone } from "./store.ts";
import { adapterRecordSchema, featuresOfUnit, type PictureRecord, pictureRecordSchema } from "./units.ts";

/** An interval by metric, of those that the experiment measures. */
export type Intervals = Readonly<Partial<Record<MetricName, Interval>>>;

/** A guidance method with a fine-tuning method. */
export interface ArmResult {
  /** Name of the fine-tuning method. */
  readonly personalisation: string;
  /** Name of the guidance method and its settings: "pg 0.6". */
  readonly name: string;
  /** The method and its settings. */
  readonly arm: Arm;
  /** Means over concepts of means over prompts, each with its 95 % interval. */
  readonly scores: Intervals;
  /** Its difference to the method's baseline (cfg, or cfg++ for pg++) on the same concepts, prompts and seeds. */
  readonly overCfg?: Intervals | undefined;
  /** Network evaluations per picture and step. */
  readonly rows: number;
  /** Wall time per picture. */
  readonly secondsPerPicture: number;
  /**
   * Peak memory of the process in bytes: the minimum over units, because a process keeps what earlier work allocated.
   */
  readonly memory: number;
  /** Number of pictures. */
  readonly pictures: number;
  /** Its scores prompt by prompt. */
  readonly prompts: readonly PromptResult[];
}

/** The difference between two rows on the same concepts, prompts and seeds, as requested by the experiment. */
export interface PairResult {
  /** Name of the fine-tuning method. */
  readonly personalisation: string;
  /** The row. */
  readonly name: string;
  /** The row it is compared with. */
  readonly over: string;
  /** Differences, each with its 95 % interval. */
  readonly differences: Intervals;
}

/** The results of an experiment's finished units. */
export interface Results {
  /** Tiller's version. */
  readonly tiller: string;
  /** Versions of Node and ONNX Runtime. */
  readonly versions: { readonly node: string; readonly onnxruntime: string };
  /** Hashes of the model and the encoders. */
  readonly identities: Identities;
  /** The experiment with its defaults filled in. */
  readonly experiment: Experiment;
  /** Finished units and all units; results are of the finished ones. */
  readonly units: { readonly done: number; readonly total: number };
  /** Wall time of all training. */
  readonly trainingSeconds: number;
  /** The adapters' files, relative to the experiment's folder. */
  readonly adapters: readonly string[];
  /** A result for each fine-tuning method and guidance method. */
  readonly arms: readonly ArmResult[];
  /** The comparisons requested by the experiment, if any. */
  readonly pairs?: readonly PairResult[] | undefined;
}

/** Gathers finished units. Arms are compared over the prompts finished for all arms of a fine-tuning method. */
export async function gather(
  cells: readonly Cell[],
  experiment: Experiment,
  identities: Identities,
  encoders: Encoders,
  root: string,
): Promise<Results> {
  const arms = armsOf(experiment);
  const references = new Map<string, readonly EncodedBy[]>();
  const found: { cell: Cell; arm: Arm; name: string; record: PictureRecord; prompt: PromptResult }[] = [];
  let [done, total, trainingSeconds] = [0, 0, 0];
  const adapters: string[] = [];
  for (const cell of cells) {
    total += (cell.adapter ? 1 : 0) + cell.units.length;
    const trained = cell.adapter && (await readDone(cell.adapter.folder, adapterRecordSchema));
    if (trained) done++;
    trainingSeconds += trained?.seconds ?? 0;
    if (trained) adapters.push(...trained.adapters.map((file) => relative(root, join(cell.adapter!.folder, file))));
    const { concept } = cell;
    const known = references.get(concept.name) ?? (await referencesOf(concept, experiment, encoders));
    references.set(concept.name, known);
    for (const unit of cell.units) {
      const { folder, arm, prompt } = unit;
      const record = await readDone(folder, pictureRecordSchema);
      if (!record) continue;
      done++;
      const features = await featuresOfUnit(unit, record, concept, experiment, encoders);
      const scores = features.pictures.map((one) => scoresOf(experiment.metrics, one, known, features.text));
      found.push({
        cell,
        arm,
        name: armName(arm, arms),
        record,
        prompt: {
          concept: concept.name,
          prompt: prompt.name,
          scores: meanScores(scores),
          ...(scores.length > 1 && {
            pictures: byMetric(experiment.metrics, ({ name }) => scores.map((one) => one[name]!)),
          }),
          folder: relative(root, folder),
          seeds: record.seeds,
        },
      });
    }
  }

  const results: ArmResult[] = [];
  for (const personalisation of experiment.personalisation) {
    const ours = found.filter(({ cell }) => cell.personalisation === personalisation);
    const place = ({ prompt }: (typeof ours)[number]) => `${prompt.concept}/${prompt.prompt}`;
    const counts = new Map<string, number>();
    for (const one of ours) counts.set(place(one), (counts.get(place(one)) ?? 0) + 1);
    const complete = ours.filter((one) => counts.get(place(one)) === arms.length);
    const of = (arm: Arm | undefined) => complete.filter((one) => JSON.stringify(one.arm) === JSON.stringify(arm));
    for (const arm of arms) {
      const those = of(arm);
      if (those.length === 0) continue;
      const baseline = of(baselineOf(arm, arms));
      const pictures = those.reduce((sum, { record }) => sum + record.seeds.length, 0);
      results.push({
        personalisation: personalisationName(personalisation, experiment.personalisation),
        name: armName(arm, arms),
        arm,
        scores: intervals(those.map(({ prompt }) => prompt)),
        overCfg:
          baseline.length !== those.length
            ? undefined
            : intervals(
                those.map(({ prompt }) => prompt),
                baseline.map(({ prompt }) => prompt),
              ),
        rows: those[0]!.record.rows,
        memory: those.reduce((least, { record }) => Math.min(least, record.memory), Number.POSITIVE_INFINITY),
        secondsPerPicture: those.reduce((sum, { record }) => sum + record.seconds, 0) / pictures,
        pictures,
        prompts: those.map(({ prompt }) => prompt),
      });
    }
  }
  const pairs = results.flatMap((one) =>
    (experiment.compare ?? []).flatMap(([name, over]): PairResult[] => {
      const other = results.find((arm) => arm.personalisation === one.personalisation && arm.name === over);
      if (one.name !== name || !other) return [];
      return [{ personalisation: one.personalisation, name, over, differences: intervals(one.prompts, other.prompts) }];
    }),
  );
  return {
    tiller: version,
    versions: { node: process.version, onnxruntime: await runtimeVersion() },
    identities,
    experiment,
    units: { done, total },
    trainingSeconds,
    adapters,
    arms: results,
    ...(experiment.compare && { pairs }),
  };
}

/** The baseline of an arm's method at the arm's own scale, or else the only one. */
export function baselineOf({ guidance, scale }: Arm, arms: readonly Arm[]): Arm | undefined {
  const those = arms.filter((other) => other.guidance === methodOf(guidance).baseline);
  return those.length === 1 ? those[0] : those.find((other) => other.scale === scale);
}

/** Intervals of the prompts' scores, or of their differences to those of `less`. */
export const intervals = (prompts: readonly PromptResult[], less?: readonly PromptResult[]): Intervals => {
  const terms: Term[] = [{ prompts, factor: 1 }, ...(less ? [{ prompts: less, factor: -1 }] : [])];
  const names = Object.keys(prompts[0]?.scores ?? {}) as MetricName[];
  return byMetric(names, ({ name }) => intervalOf(combined(terms, name)));
};

/** The features of a concept's pictures; none if no metric compares with them. */
async function referencesOf(
  concept: BenchConcept,
  { metrics }: Experiment,
  encoders: Encoders,
): Promise<readonly EncodedBy[]> {
  if (metricLabels("subject", metrics) === "") return [];
  const features: EncodedBy[] = [];
  for (const file of await referenceFiles(concept))
    features.push(await encodePicture(encoders, await readPixels(file)));
  return features;
}
