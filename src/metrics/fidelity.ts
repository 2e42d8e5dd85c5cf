/** Derived from the list of metrics: their names, their encoders, and a picture's scores. */
import type { EncoderKind } from "./encoder.ts";
import { type Features, mean } from "./features.ts";
import type { Metric } from "./metric.ts";
import { metrics as listed } from "./metrics.ts";

/**
 * The metrics by their keys in results.
 *
 * @useDeclaredType
 */
export type MetricName = (typeof listed)[number]["name"];

/** By metric, of those that were measured. */
export type Scores = Readonly<Partial<Record<MetricName, number>>>;

/** A metric's description. */
export interface MetricDescription extends Pick<Metric<MetricName>, "name" | "label" | "help" | "of" | "better"> {}

const all: readonly Metric<MetricName, EncoderName>[] = listed;

/** The metrics. */
export const metrics: readonly MetricDescription[] = all.map(({ name, label, help, of, better }) => ({
  name,
  label,
  help,
  of,
  better,
}));

/** Their names. */
export const metricNames: readonly MetricName[] = metrics.map(({ name }) => name);

/** The names of those measured if none are named. */
export const usualMetrics: readonly MetricName[] = all.flatMap(({ name, usual }) => (usual ? [name] : []));

/** Those of these names, in display order. */
export const metricsOf = (names: readonly MetricName[]): readonly Metric<MetricName, EncoderName>[] =>
  all.filter(({ name }) => names.includes(name));

/** The labels of subject or text fidelity metrics among `names`, joined for a sentence; "" if there is none. */
export const metricLabels = (of: Metric["of"], names: readonly MetricName[] = usualMetrics): string =>
  metricsOf(names)
    .flatMap((one) => (one.of === of ? one.label : []))
    .join(" and ");

/** The encoders by their keys in results. */
export type EncoderName = (typeof listed)[number]["encoder"]["name"];

/**
 * The encoders for which a model can be named.
 *
 * @useDeclaredType
 */
export type ChosenEncoderName = Extract<(typeof listed)[number]["encoder"], { readonly chosen: true }>["name"];

/** A model for each of some encoders: its folder or its hub id. */
export type EncoderModels = Readonly<Partial<Record<ChosenEncoderName, string | undefined>>>;

/** The encoders of these metrics, in the order of their names. */
export function encodersOf(names: readonly MetricName[]): readonly EncoderKind<EncoderName>[] {
  const kinds = new Map(metricsOf(names).map(({ encoder }) => [encoder.name, encoder]));
  return [...kinds.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Those for which a model can be named. */
export const chosenEncoders: readonly EncoderKind<ChosenEncoderName>[] = encodersOf(metricNames).filter(
  (kind): kind is EncoderKind<ChosenEncoderName> => kind.chosen,
);

/** A picture's or a text's features by encoder. */
export type EncodedBy = Readonly<Partial<Record<EncoderName, Features>>>;

/** The scores of a picture by these metrics; what none of them reads may be left out. */
export const scoresOf = (
  names: readonly MetricName[],
  picture: EncodedBy,
  references: readonly EncodedBy[],
  text: EncodedBy,
): Scores =>
  byMetric(names, (metric) => {
    const of = (features: EncodedBy) => features[metric.encoder.name]!;
    return metric.of === "text" ? metric.score(of(picture), of(text)) : metric.score(of(picture), references.map(of));
  });

/** A value for each of these metrics, in display order. */
export const byMetric = <T>(
  names: readonly MetricName[],
  value: (metric: Metric<MetricName, EncoderName>) => T,
): Readonly<Partial<Record<MetricName, T>>> =>
  Object.fromEntries(metricsOf(names).map((metric) => [metric.name, value(metric)]));

/** Means of the scores by each metric of the first. */
export const meanScores = (scores: readonly Scores[]): Scores =>
  byMetric(Object.keys(scores[0] ?? {}) as MetricName[], ({ name }) => mean(scores.map((one) => one[name]!)));
