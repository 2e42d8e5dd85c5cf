/** What an experiment may draw: which of concepts, styles, edits, prompts, training and metrics go together. */
import { TillerError } from "../errors/index.ts";
import { type MetricName, metricLabels } from "../metrics/fidelity.ts";
import type { Concepts, Edits, Prompts } from "./concept-schema.ts";

/** The settings of an experiment that depend on each other here. */
interface Drawn {
  readonly concepts: Concepts;
  readonly edits?: Edits | undefined;
  readonly prompts: Prompts;
  readonly personalisation: readonly object[];
  readonly metrics: readonly MetricName[];
}

/** @throws TillerError `experiment-invalid` naming the setting that does not go with the others. */
export function refuseSubjects(experiment: Drawn, where: string): void {
  const wrong = wrongSubjects(experiment);
  if (wrong !== undefined) throw new TillerError("experiment-invalid", `${where}: ${wrong}.`, { paths: [where] });
}

function wrongSubjects(experiment: Drawn): string | undefined {
  const { concepts, edits, prompts, personalisation, metrics } = experiment;
  const listed = typeof prompts === "object" && "file" in prompts;
  const styles = typeof concepts === "object" && concepts.some((one) => typeof one === "object" && "style" in one);
  if (edits && concepts !== "all") return "edits: their pictures take the place of concepts; leave out one of the two";
  if (edits && prompts !== "all")
    return "edits: their instructions take the place of prompts; leave out one of the two";
  const subjects = !edits && !styles && concepts !== "none";
  if (
    styles &&
    (concepts as readonly unknown[]).some((one) => typeof one === "string" || !("style" in (one as object)))
  )
    return "concepts: styles and subjects have different prompts; make an experiment of each";
  if (listed && subjects)
    return 'prompts: a file of prompts has no place for a subject; use "concepts": "none", or styles';
  if (!listed && !edits && !subjects) return 'prompts: name a file of prompts, as { "file": "prompts.txt" }';
  if (!subjects && personalisation.some((one) => "recipe" in one))
    return "personalisation: training needs subjects; name adapters, or leave it out";
  const compared = metricLabels("subject", metrics);
  if (concepts === "none" && compared !== "")
    return `metrics: ${compared} compare with reference pictures, and without concepts there are none; choose others, such as pickscore`;
  return undefined;
}
