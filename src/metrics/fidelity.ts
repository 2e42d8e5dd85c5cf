/** Derived from the list of metrics: their names, and a picture's scores. */
import { type Features, mean, type PictureFeatures } from "./features.ts";
import type { Metric } from "./metric.ts";
import { metrics as listed } from "./metrics.ts";

/**
 * The metrics by their keys in results.
 *
 * @useDeclaredType
 */
export type MetricName = (typeof listed)[number]["name"];

/** By metric. All are cosine similarities. */
export type Scores = Readonly<Record<MetricName, number>>;

/** A metric's description. */
export interface MetricDescription extends Omit<Metric<MetricName>, "score"> {}

/** The metrics. */
export const metrics: readonly MetricDescription[] = listed.map(({ score: _, ...described }) => described);

/** Their names. */
export const metricNames: readonly MetricName[] = metrics.map(({ name }) => name);

/** The labels of subject or text fidelity metrics, joined for a sentence. */
export const metricLabels = (of: Metric["of"]): string =>
  metrics.flatMap((one) => (one.of === of ? one.label : [])).join(" and ");

/** A value for each metric, in order. */
export const byMetric = <T>(value: (metric: Metric<MetricName>) => T): Readonly<Record<MetricName, T>> =>
  Object.fromEntries(listed.map((metric) => [metric.name, value(metric)])) as Record<MetricName, T>;

export const scoresOf = (picture: PictureFeatures, references: readonly PictureFeatures[], text: Features): Scores =>
  byMetric((metric) => metric.score({ picture, references, text }));

export const meanScores = (scores: readonly Scores[]): Scores =>
  byMetric(({ name }) => mean(scores.map((one) => one[name])));
