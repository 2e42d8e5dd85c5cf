/** Captions of training pictures: the evaluation prompts with paraphrases. Traits are never mentioned. */
import { randomOf } from "./random.ts";
import { type Theme, wordsOf } from "./world.ts";

const plain = ["a {s}", "a picture of a {s}", "a drawing of a {s}", "one {s}"] as const;
const openings = ["", "", "", "a picture of ", "a drawing of "] as const;

/** The caption of a noun under a theme; half of the time the exact evaluation prompt. */
export function captionOf(noun: string, theme: Theme | undefined, seed: number): string {
  const random = randomOf("caption", noun, seed);
  if (!theme) return random.pick(plain).replace("{s}", noun);
  const { prompt, paraphrases } = wordsOf(theme);
  const said = random.chance(0.5) ? prompt : random.pick(paraphrases);
  return random.pick(openings) + said.replace("{s}", noun);
}
