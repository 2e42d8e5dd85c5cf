/** The concepts of an experiment: their pictures and prompts. */
import { join } from "node:path";
import { exists, kindOf, makeFolder } from "#bytes";
import { writeWhole } from "../bytes/write-whole.ts";
import { TillerError } from "../errors/index.ts";
import { readCaption } from "../images/captions.ts";
import { pictureFolder } from "../images/folder.ts";
import { encodePng } from "../recipe/png.ts";
import { concepts as embeddedConcepts, type Concept as WorldConcept } from "../world/concepts.ts";
import { rasterize, render, side } from "../world/render.ts";
import { promptOf, themesOf } from "../world/world.ts";
import type { Experiment } from "./experiment.ts";
import { type ListedPrompt, readPromptList } from "./prompt-list.ts";

/** What an experiment draws: a subject, a style, a picture to be edited, or prompts alone. */
export interface BenchConcept {
  readonly name: string;
  /** The class noun: `cat`; "" without a subject. */
  readonly class: string;
  readonly live: boolean;
  /** Its reference pictures: their folder, or the one picture that is edited; undefined if there are none. */
  readonly images: string | undefined;
  /** Existing adapters that belong to it. */
  readonly adapters: readonly string[];
  readonly prompts: readonly Prompt[];
}

export interface Prompt {
  /** The theme's name, `santa hat`; or the prompt itself. */
  readonly name: string;
  /** The prompt about a subject: "sks cat", or "cat"; the same for any without a subject. */
  readonly about: (subject: string) => string;
  /** The words that ask for a style, apart from the prompt. */
  readonly style?: string;
  /** The picture that it edits. */
  readonly image?: string;
}

/**
 * The experiment's concepts; the pictures of embedded ones are drawn into `folder`.
 *
 * @throws TillerError if a concept or a prompt is unknown, or a file of prompts or a folder of pictures cannot be read.
 */
export async function conceptsOf(experiment: Experiment, folder: string): Promise<BenchConcept[]> {
  const { edits, prompts: asked } = experiment;
  if (edits) return editsOf(edits);
  const listed = typeof asked === "object" && "file" in asked ? await listedPrompts(asked) : [];
  if (experiment.concepts === "none")
    return [{ ...without, name: "prompts", images: undefined, adapters: [], prompts: listed.map(unstyled) }];
  const names = experiment.concepts === "all" ? embeddedConcepts.map(({ name }) => name) : experiment.concepts;
  const concepts: BenchConcept[] = [];
  for (const one of names) {
    if (typeof one === "object" && "style" in one) {
      const { name, images, adapters = [], style } = one;
      const prompts = [...new Set(listed.map(({ text }) => text))].map(
        (text): Prompt => ({ ...unstyled({ text }), style }),
      );
      concepts.push({ ...without, name, images, adapters, prompts });
      continue;
    }
    if (typeof one === "object") {
      concepts.push({ ...one, adapters: one.adapters ?? [], prompts: promptsFor(one, asked) });
      continue;
    }
    const concept = embeddedConcept(one);
    const images = join(folder, concept.name);
    await drawReferences(concept, images);
    const { name, live, individual } = concept;
    const prompts = promptsFor(concept, asked);
    concepts.push({ name, live, class: individual.noun, images, adapters: [], prompts });
  }
  return concepts;
}

/** No subject. */
const without = { class: "", live: false } as const;

/** A prompt from a file, with its own style if it has one. */
function unstyled({ text, style }: ListedPrompt): Prompt {
  const words = style === undefined ? text : `${text} ${style}`;
  return { name: words.trim(), about: () => words };
}

async function listedPrompts({ file, count }: { file: string; count?: number | undefined }): Promise<ListedPrompt[]> {
  const listed = await readPromptList(file);
  return count === undefined ? listed : evenly(listed, count);
}

/** One concept for each picture; its prompts are the instructions. */
async function editsOf({ images, instructions }: NonNullable<Experiment["edits"]>): Promise<BenchConcept[]> {
  const { pictures } = await pictureFolder(images);
  return Promise.all(
    pictures.map(async ({ name, file, caption }): Promise<BenchConcept> => {
      const own = instructions ?? [(caption && (await readCaption(caption))) ?? ""];
      if (own.includes(""))
        throw new TillerError(
          "text-missing",
          `${file} has no caption to edit it by: write its instruction into a .txt file beside it, or give instructions.`,
          { paths: [file] },
        );
      const prompts = own.map((text): Prompt => ({ name: text, about: () => text, image: file }));
      return { ...without, name, images: file, adapters: [], prompts };
    }),
  );
}

/** The files of a concept's reference pictures. */
export async function referenceFiles({ images }: Pick<BenchConcept, "images">): Promise<string[]> {
  if (images === undefined) return [];
  if ((await kindOf(images)) === "file") return [images];
  return (await pictureFolder(images)).pictures.map(({ file }) => file);
}

/** Up to `count` of them, evenly spaced. */
function evenly<T>(all: readonly T[], asked: number): T[] {
  const count = Math.min(asked, all.length);
  return Array.from({ length: count }, (_, i) => all[Math.floor(((i + 0.5) * all.length) / count)]!);
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
  if (typeof asked === "number") return evenly(all, asked);
  if ("file" in asked) return [];
  const known = new Set([...themesOf({ live: true }).keys(), ...themesOf({ live: false }).keys()]);
  const stranger = asked.find((name) => !known.has(name));
  if (stranger !== undefined)
    throw new TillerError("concept-unknown", `There is no prompt ${stranger}: choose from ${[...known].join(", ")}.`);
  return all.filter(({ name }) => asked.includes(name));
}
