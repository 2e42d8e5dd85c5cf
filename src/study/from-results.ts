/** The sets of an experiment's finished pictures. */
import { join } from "node:path";
import { TillerError } from "../errors/index.ts";
import { type BenchConcept, conceptsOf, referenceFiles } from "../experiments/concepts.ts";
import { personalisationName } from "../experiments/experiment.ts";
import { keptResults } from "../experiments/kept-results.ts";
import { paperStudyOf } from "../experiments/published.ts";
import type { ArmResult, Results } from "../experiments/results.ts";
import { styledPrompt } from "../recipe/styled-prompt.ts";
import type { Candidate } from "./candidate.ts";
import { plainWords } from "./plain-words.ts";
import type { Setting } from "./study.ts";
import type { FromResults } from "./study-file.ts";

export interface Offered {
  readonly setting: Setting;
  readonly candidates: readonly Candidate[];
}

/**
 * A setting whose methods are rows of an experiment: its sets are the prompts and seeds that all these rows have.
 *
 * @throws TillerError if the folder has no results, a method is none of its rows, or a subject has no pictures.
 */
export async function setsOfResults(asked: FromResults): Promise<Offered> {
  const folder = asked.results;
  const results = await keptResults(folder);
  if (!results || results.arms.length === 0)
    throw new TillerError("experiment-missing", `${folder} has no results: tiller bench run makes them.`, {
      paths: [folder],
    });
  const rows = rowsOf(asked, results);
  const { experiment } = results;
  const concepts = await conceptsOf(experiment, join(folder, "references"));
  const candidates: Candidate[] = [];
  for (const concept of concepts) {
    const references = await referenceFiles(concept);
    const units = rows.map(({ prompts }) => new Map(unitsOf(prompts, concept)));
    for (const [prompt, first] of units[0]!) {
      for (const seed of first.seeds) {
        const pictures = units.flatMap((those) => {
          const unit = those.get(prompt);
          return unit?.seeds.includes(seed) ? [join(folder, unit.folder, `${seed}.png`)] : [];
        });
        if (pictures.length < rows.length) continue;
        if (references.length === 0)
          throw new TillerError(
            "study-invalid",
            `The experiment in ${folder} has no pictures of a subject, which participants compare with: choose one with subjects.`,
            { paths: [folder] },
          );
        candidates.push({ subject: concept.name, text: textOf(concept, prompt), seed, pictures, references });
      }
    }
  }
  const personalisation = experiment.personalisation.find(
    (one) => personalisationName(one, experiment.personalisation) === rows[0]!.personalisation,
  )!;
  const paper = paperStudyOf(
    experiment.model,
    personalisation,
    rows.map(({ arm }) => arm),
  );
  return { setting: { name: asked.name, methods: Object.keys(asked.methods), paper }, candidates };
}

/** The experiment's row of each method. */
function rowsOf({ name, results: folder, fineTuning, methods }: FromResults, { arms }: Results): ArmResult[] {
  const refuse = (why: string) => new TillerError("study-invalid", `The setting ${name}: ${why}.`, { paths: [folder] });
  const fineTunings = [...new Set(arms.map(({ personalisation }) => personalisation))];
  if (fineTuning === undefined && fineTunings.length > 1)
    throw refuse(`set fineTuning, because ${folder} has several: ${fineTunings.join(", ")}`);
  const one = fineTuning ?? fineTunings[0]!;
  const those = arms.filter(({ personalisation }) => personalisation === one);
  if (those.length === 0) throw refuse(`fineTuning: ${folder} has no ${one}: choose from ${fineTunings.join(", ")}`);
  return Object.entries(methods).map(([method, row]) => {
    const found = those.find((arm) => arm.name === row);
    if (found) return found;
    const names = those.map((arm) => arm.name).join(", ");
    throw refuse(`methods.${method}: ${folder} has no row ${row}: choose from ${names}`);
  });
}

const unitsOf = (prompts: ArmResult["prompts"], { name }: BenchConcept) =>
  prompts.filter(({ concept }) => concept === name).map((unit) => [unit.prompt, unit] as const);

function textOf(concept: BenchConcept, name: string): string {
  const prompt = concept.prompts.find((one) => one.name === name);
  if (!prompt) throw new TillerError("study-invalid", `The experiment has no prompt ${name} for ${concept.name}.`);
  return plainWords(styledPrompt({ prompt: prompt.about(concept.class), style: prompt.style }));
}
