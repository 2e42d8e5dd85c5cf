/** The concepts of an experiment: their pictures and prompts. */
import { join } from "node:path";
import { exists, makeFolder } from "#bytes";
import { writeWhole } from "../bytes/write-whole.ts";
import { TillerError } from "../errors/index.ts";
import { encodePng } from "../recipe/png.ts";
import { concepts as embeddedConcepts, type Concept as WorldConcept } from "../world/concepts.ts";
import { rasterize, render, side } from "../world/render.ts";
import { promptOf, themesOf } from "../world/world.ts";
import type { Experiment } from "./experiment.ts";

export interface BenchConcept {
  readonly name: string;
  /** The class noun: `cat`. */
  readonly class: string;
  readonly live: boolean;
  /** The folder of its reference pictures. */
  readonly images: string;
  readonly prompts: readonly Prompt[];
}

export interface Prompt {
  /** The theme's name: `santa hat`. */
  readonly name: string;
  /** The prompt about a subject: "sks cat", or "cat". */
  readonly about: (subject: string) => string;
}

/**
 * The experiment's concepts; the pictures of embedded ones are drawn into `folder`.
 *
 * @throws TillerError if a concept or a prompt is unknown.
 */
export async function conceptsOf(experiment: Experiment, folder: string): Promise<BenchConcept[]> {
  const asked = experiment.concepts === "all" ? embeddedConcepts.map(({ name }) => name) : experiment.concepts;
  const concepts: BenchConcept[] = [];
  for (const one of asked) {
    if (typeof one !== "string") {
      concepts.push({ ...one, prompts: promptsFor(one, experiment.prompts) });
      continue;
    }
    const concept = embeddedConcept(one);
    const images = join(folder, concept.name);
    await drawReferences(concept, images);
    const { name, live, individual } = concept;
    concepts.push({ name, live, class: individual.noun, images, prompts: promptsFor(concept, experiment.prompts) });
  }
  return concepts;
}

/** @throws TillerError if the embedded world has no concept of this name. */
export function embeddedConcept(name: string): WorldConcept {
  const found = embeddedConcepts.find((concept) => concept.name === name);
  if (found) return found;
  const names = embeddedConcepts.map((concept) => concept.name).join(", ");
  throw new TillerError("concept-unknown", `There is no concept ${name}: choose one of ${names}.`);
}

/** Draws the concept's reference pictures, in everyday places; existing ones stay. */
export async function drawReferences({ individual, references }: WorldConcept, folder: string): Promise<void> {
  await makeFolder(folder);
  for (let i = 0; i < references; i++) {
    const file = join(folder, `${i}.png`);
    if (await exists(file)) continue;
    const data = rasterize(render(individual, undefined, referenceSeed + i));
    await writeWhole(file, await encodePng({ width: side, height: side, data }));
  }
}

/** Gives poses and places unseen in pretraining and its evaluation. */
const referenceSeed = 2 ** 31;

/** The names of the prompts for live subjects, or for the others. */
export const promptNames = (live: boolean): string[] => [...themesOf({ live }).keys()];

/** @throws TillerError if none of the requested prompts suits the concept. */
function promptsFor({ name, live }: { name: string; live: boolean }, asked: Experiment["prompts"]): Prompt[] {
  const prompts = promptsOf(live, asked);
  if (prompts.length > 0) return prompts;
  throw new TillerError(
    "concept-unknown",
    `None of the prompts suits ${name}, which is ${live ? "a living thing" : "not a living thing"}.`,
  );
}

function promptsOf(live: boolean, asked: Experiment["prompts"]): Prompt[] {
  const all = [...themesOf({ live })].map(
    ([name, theme]): Prompt => ({ name, about: (subject) => promptOf(theme, subject) }),
  );
  if (asked === "all") return all;
  if (typeof asked === "number") {
    const count = Math.min(asked, all.length);
    return Array.from({ length: count }, (_, i) => all[Math.floor(((i + 0.5) * all.length) / count)]!);
  }
  const known = new Set([...themesOf({ live: true }).keys(), ...themesOf({ live: false }).keys()]);
  const stranger = asked.find((name) => !known.has(name));
  if (stranger !== undefined)
    throw new TillerError("concept-unknown", `There is no prompt ${stranger}: choose from ${[...known].join(", ")}.`);
  return all.filter(({ name }) => asked.includes(name));
}
