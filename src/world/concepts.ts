/** The sixteen concepts of the evaluation set, by their published names, each an individual of the world. */
import { colour } from "./colour.ts";
import { type Individual, individualOf } from "./render.ts";
import type { AnimalTraits } from "./subjects/animal.ts";
import type { ToyTraits } from "./subjects/toys.ts";

export interface Concept {
  readonly name: string;
  readonly individual: Individual;
  readonly live: boolean;
  /** Number of reference pictures. */
  readonly references: number;
}

const brown = colour(24, 0.5, 0.36);

/** An individual from a seed, with the traits its name requires. */
const chosen = (noun: string, seed: number, traits: Partial<AnimalTraits> | Partial<ToyTraits>): Individual => {
  const { traits: own } = individualOf(noun, seed);
  return { noun, traits: { ...(own as object), ...traits } };
};

const concept = (name: string, live: boolean, references: number, individual: Individual): Concept => ({
  name,
  live,
  references,
  individual,
});

export const concepts: readonly Concept[] = [
  concept(
    "brown_dog",
    true,
    5,
    chosen("dog", 11, {
      coat: brown,
      second: colour(40, 0.4, 0.85),
      pattern: "mask",
      bib: true,
      ears: "floppy",
      socks: true,
      collar: undefined,
      stout: 0.9,
    }),
  ),
  concept(
    "fat_dog",
    true,
    6,
    chosen("dog", 4, {
      coat: colour(36, 0.6, 0.68),
      second: colour(25, 0.35, 0.28),
      pattern: "patch",
      bib: false,
      ears: "folded",
      stout: 1.42,
      face: 1.14,
      collar: colour(0, 0.7, 0.5),
    }),
  ),
  concept(
    "brown_dog2",
    true,
    5,
    chosen("dog", 9, {
      coat: colour(18, 0.55, 0.42),
      second: colour(230, 0.1, 0.18),
      pattern: "half",
      bib: false,
      ears: "folded",
      stout: 1,
      collar: colour(205, 0.7, 0.45),
    }),
  ),
  concept(
    "black_cat",
    true,
    5,
    chosen("cat", 3, {
      coat: colour(240, 0.1, 0.17),
      second: colour(45, 0.25, 0.9),
      pattern: "plain",
      bib: true,
      socks: true,
      eyes: colour(50, 0.85, 0.52),
      collar: undefined,
    }),
  ),
  concept(
    "brown_cat",
    true,
    6,
    chosen("cat", 8, {
      coat: colour(27, 0.5, 0.48),
      second: colour(22, 0.5, 0.24),
      pattern: "stripes",
      bib: false,
      eyes: colour(130, 0.5, 0.42),
      collar: colour(320, 0.6, 0.55),
    }),
  ),
  concept(
    "cat_statue",
    false,
    6,
    chosen("cat statue", 2, {
      main: colour(45, 0.35, 0.88),
      second: colour(0, 0.62, 0.5),
      mark: colour(45, 0.8, 0.5),
      pattern: "heart",
      build: [0.6, 0.7, 0.9],
      form: 0,
    }),
  ),
  concept(
    "elephant_statue",
    false,
    5,
    chosen("elephant statue", 5, {
      main: colour(205, 0.4, 0.6),
      second: colour(48, 0.8, 0.6),
      mark: colour(335, 0.6, 0.55),
      pattern: "star",
      build: [0.6, 0.8, 0.8],
      form: 0,
    }),
  ),
  concept(
    "duck_toy",
    false,
    4,
    chosen("duck toy", 1, {
      main: colour(50, 0.9, 0.56),
      second: colour(20, 0.85, 0.55),
      mark: colour(205, 0.7, 0.5),
      pattern: "dots",
      build: [0.5, 0.6, 0.5],
      form: 1,
    }),
  ),
  concept(
    "monster_toy",
    false,
    5,
    chosen("monster toy", 6, {
      main: colour(165, 0.5, 0.5),
      second: colour(300, 0.5, 0.6),
      mark: colour(45, 0.9, 0.55),
      pattern: "stripes",
      build: [0.7, 0.8, 0.3],
      form: 0,
    }),
  ),
  concept(
    "brown_teddybear",
    false,
    7,
    chosen("teddy bear", 3, {
      main: colour(26, 0.45, 0.48),
      second: colour(36, 0.5, 0.72),
      mark: colour(0, 0.7, 0.5),
      pattern: "plain",
      build: [0.6, 0.5, 0.8],
      form: 0,
    }),
  ),
  concept(
    "tortoise_plushy",
    false,
    6,
    chosen("tortoise plushy", 2, {
      main: colour(95, 0.4, 0.42),
      second: colour(60, 0.5, 0.66),
      mark: colour(30, 0.6, 0.45),
      pattern: "dots",
      build: [0.6, 0.5, 0.8],
      form: 0,
    }),
  ),
  concept(
    "alarm_clock",
    false,
    5,
    chosen("alarm clock", 7, {
      main: colour(178, 0.5, 0.5),
      second: colour(45, 0.75, 0.55),
      mark: colour(0, 0.7, 0.5),
      pattern: "star",
      build: [0.6, 0.83, 0.17],
      form: 0,
    }),
  ),
  concept(
    "pink_sunglasses",
    false,
    5,
    chosen("sunglasses", 1, {
      main: colour(335, 0.75, 0.68),
      second: colour(280, 0.4, 0.45),
      mark: colour(48, 0.9, 0.6),
      pattern: "dots",
      build: [0.7, 0.5, 0.2],
      form: 2,
    }),
  ),
  concept(
    "red_teapot",
    false,
    5,
    chosen("teapot", 4, {
      main: colour(2, 0.7, 0.46),
      second: colour(45, 0.5, 0.86),
      mark: colour(45, 0.5, 0.9),
      pattern: "dots",
      build: [0.6, 0.5, 0.6],
      form: 0,
    }),
  ),
  concept(
    "red_vase",
    false,
    5,
    chosen("vase", 3, {
      main: colour(6, 0.65, 0.44),
      second: colour(45, 0.7, 0.55),
      mark: colour(210, 0.3, 0.25),
      pattern: "band",
      build: [0.7, 0.3, 0.6],
      form: 2,
    }),
  ),
  concept(
    "wooden_barn",
    false,
    7,
    chosen("barn", 2, {
      main: colour(28, 0.4, 0.42),
      second: colour(220, 0.12, 0.3),
      mark: colour(20, 0.45, 0.28),
      pattern: "star",
      build: [0.6, 0.5, 0.6],
      form: 1,
    }),
  ),
];
