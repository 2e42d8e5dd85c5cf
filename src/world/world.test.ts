/** The embedded world: everything can be drawn, drawing is deterministic, and individuals differ. */
import { describe, expect, test } from "vitest";
import {
  captionOf,
  concepts,
  individualOf,
  liveThemes,
  promptOf,
  rasterize,
  render,
  side,
  subjectOf,
  subjects,
  themesOf,
  thingThemes,
} from "./index.ts";
import { wordsOf } from "./world.ts";

/** Mean absolute difference of two pictures, out of 255. */
const distance = (a: Uint8Array, b: Uint8Array) =>
  a.reduce((sum, value, i) => sum + Math.abs(value - b[i]!), 0) / a.length;

describe.each([...subjects.keys()])("a %s", (noun) => {
  test("can be drawn under every suitable theme, deterministically", () => {
    for (const [name, theme] of themesOf(subjectOf(noun))) {
      const drawing = render(individualOf(noun, 1), theme, 5);
      expect(render(individualOf(noun, 1), theme, 5), name).toBe(drawing);
      expect(drawing, name).not.toMatch(/NaN|undefined|Infinity/);
      const pixels = rasterize(drawing);
      expect(pixels.length).toBe(side * side * 3);
      expect(new Set(pixels).size, name).toBeGreaterThan(20);
    }
  });

  test("is an individual: others of its kind look different in the same scene", () => {
    const theme = liveThemes.get("wooden floor");
    const pictures = Array.from({ length: 8 }, (_, i) => rasterize(render(individualOf(noun, i), theme, 3)));
    for (let i = 0; i < 8; i++)
      for (let j = 0; j < i; j++) expect(distance(pictures[i]!, pictures[j]!)).toBeGreaterThan(0.5);
  });
});

test("there are 31 themes for live subjects and 31 for the others, 21 of them shared", () => {
  expect([liveThemes.size, thingThemes.size]).toEqual([31, 31]);
  expect([...liveThemes.keys()].filter((name) => thingThemes.has(name))).toHaveLength(21);
});

test("evaluation prompts are the published ones", () => {
  expect(promptOf(liveThemes.get("santa hat")!, "<t> dog")).toBe("a <t> dog wearing a santa hat");
  expect(promptOf(liveThemes.get("red")!, "<t> dog")).toBe("a red <t> dog");
  expect(promptOf(thingThemes.get("milk")!, "<t> vase")).toBe("a <t> vase floating in an ocean of milk");
  for (const theme of [...liveThemes.values(), ...thingThemes.values()]) {
    expect(promptOf(theme, "X")).toMatch(/^a .*X/);
    for (const words of wordsOf(theme).paraphrases) expect(words).toMatch(/\{s\}/);
  }
});

test("captions name the noun and the theme in many ways, but never a trait", () => {
  const theme = liveThemes.get("jungle");
  const said = new Set(Array.from({ length: 80 }, (_, seed) => captionOf("cat", theme, seed)));
  expect(said.size).toBeGreaterThan(6);
  for (const caption of said) {
    expect(caption).toContain("cat");
    expect(caption).toContain("jungle");
    expect(caption).not.toMatch(/stripe|spot|collar|ear|tail|coat/);
  }
});

test("the sixteen concepts have the published names and 4 to 7 references", () => {
  expect(concepts.map(({ name }) => name).sort()).toEqual(
    "alarm_clock black_cat brown_cat brown_dog brown_dog2 brown_teddybear cat_statue duck_toy elephant_statue fat_dog monster_toy pink_sunglasses red_teapot red_vase tortoise_plushy wooden_barn".split(
      " ",
    ),
  );
  for (const { references, live, individual } of concepts) {
    expect(references).toBeGreaterThanOrEqual(4);
    expect(references).toBeLessThanOrEqual(7);
    expect(live).toBe(subjectOf(individual.noun).live);
  }
});
