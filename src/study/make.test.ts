/** A study's folder, made from pictures in folders and from an experiment's results. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { refusal } from "../../test/refusal.ts";
import { chunksOf, colourOf, methods, subjects, writeStudyPictures } from "../../test/study-pictures.ts";
import { randomStream } from "../random/streams.ts";
import { chosenFrom } from "./candidate.ts";
import { makeStudy } from "./make.ts";
import { plainWords } from "./plain-words.ts";
import { readStudy } from "./study.ts";
import { readStudyFile } from "./study-file.ts";

let folder: string;
let out: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-study-"));
  out = join(folder, "study");
});
afterEach(() => rm(folder, { recursive: true }));

const made = async (file: string) => makeStudy(await readStudyFile(file), out);

describe("pictures in folders", () => {
  test("become sets of one subject and prompt with every method's picture", async () => {
    const { file } = await writeStudyPictures(folder, 3);
    const study = await made(file);
    expect(await readStudy(out)).toEqual(study);
    expect(study.settings).toEqual([{ name: "two plants", methods: [...methods] }]);
    expect(study.sets).toHaveLength(6);
    for (const { subject, text, pictures, references } of study.sets) {
      const s = subjects.indexOf(subject as (typeof subjects)[number]);
      const i = Number(/\d/.exec(text)![0]);
      expect(text).toBe(s === 0 ? `a dog in place ${i}` : `an animal in place ${i}`);
      for (const [m, name] of pictures.entries()) {
        const { channels } = await sharp(join(out, "pictures", name)).stats();
        expect(channels.map(({ mean }) => mean)).toEqual(Object.values(colourOf(m, s, i)));
      }
      expect(references).toHaveLength(1);
    }
  });

  test("are copied as pixels alone, under names that tell nothing", async () => {
    const { file } = await writeStudyPictures(folder, 3);
    await made(file);
    const names = await readdir(join(out, "pictures"));
    // Twelve of the methods and two of the subjects.
    expect(names.sort()).toEqual(Array.from({ length: 14 }, (_, i) => `${String(i).padStart(4, "0")}.png`));
    for (const name of names) {
      const bytes = await readFile(join(out, "pictures", name));
      expect(chunksOf(bytes).filter((chunk) => !["IHDR", "pHYs", "IDAT", "IEND"].includes(chunk))).toEqual([]);
      expect((await sharp(bytes).metadata()).exif).toBeUndefined();
    }
  });

  test("are chosen by the seed: the same again, and others with another", async () => {
    const { file } = await writeStudyPictures(folder, 6, { sets: 4 });
    const first = await made(file);
    await rm(out, { recursive: true });
    expect(await made(file)).toEqual(first);
    await rm(out, { recursive: true });
    const other = await writeStudyPictures(folder, 6, { sets: 4, seed: 1 });
    expect((await made(other.file)).sets).not.toEqual(first.sets);
  });

  test("of different sizes are refused", async () => {
    const { file } = await writeStudyPictures(folder, 1);
    const odd = join(folder, "Moss", "red_dog", "0.png");
    await sharp({ create: { width: 40, height: 40, channels: 3, background: "teal" } }).toFile(odd);
    await expect(made(file)).rejects.toEqual(refusal("study-pictures-differ", odd, "40 x 40", "48 x 32"));
  });

  test("of different prompts, or missing for a method, are refused", async () => {
    const { file } = await writeStudyPictures(folder, 2);
    await writeFile(join(folder, "Moss", "red_dog", "1.txt"), "a sks dog elsewhere");
    await expect(made(file)).rejects.toEqual(
      refusal("study-pictures-differ", join("Moss", "red_dog", "1.png"), "prompts"),
    );
    await rm(join(folder, "Moss", "red_dog", "1.png"));
    await expect(made(file)).rejects.toEqual(refusal("study-pictures-differ", join("Moss", "red_dog"), "1.png"));
  });

  test("fewer than asked for are refused, and a folder that has a study", async () => {
    const { file } = await writeStudyPictures(folder, 2, { sets: 5 });
    await expect(made(file)).rejects.toEqual(refusal("study-pictures-few", "two plants", "4", "5"));
    await writeStudyPictures(folder, 2);
    await made(file);
    await expect(made(file)).rejects.toEqual(refusal("study-exists", out));
  });
});

/** An experiment's folder with one row of each name, prompts of both kinds of subjects, and two seeds. */
async function writeResults(rows: readonly string[]): Promise<void> {
  const place = join(folder, "experiment");
  const arms = await Promise.all(
    rows.map(async (name, m) => {
      const prompts = [];
      for (const [s, concept] of ["brown_dog", "duck_toy"].entries()) {
        for (const [p, prompt] of ["snow", "beach"].entries()) {
          const unit = join("pictures", `${m}${s}${p}`);
          await mkdir(join(place, unit), { recursive: true });
          for (const seed of [7, 8]) {
            const background = { r: 50 * m, g: 50 * s + 20 * p, b: seed };
            await sharp({ create: { width: 16, height: 16, channels: 3, background } })
              .png()
              .toFile(join(place, unit, `${seed}.png`));
          }
          prompts.push({ concept, prompt, scores: {}, folder: unit, seeds: [7, 8] });
        }
      }
      const arm = { guidance: name.split(" ")[0]! };
      return { personalisation: "none", name, arm, scores: {}, rows: 1, secondsPerPicture: 1, memory: 1, prompts };
    }),
  );
  const experiment = {
    name: "small",
    guidance: [{ method: "none" }, { method: "cfg", scale: 2 }],
    concepts: ["brown_dog", "duck_toy"],
    prompts: ["snow", "beach"],
    steps: 1,
    sampler: "ddim",
    pictures: 2,
    seed: 7,
  };
  await writeFile(join(place, "results.json"), JSON.stringify({ experiment, units: { done: 1, total: 1 }, arms }));
}

/** A study's file about those results. */
async function writeFileAbout(setting: object, settings: object = {}): Promise<string> {
  const file = join(folder, "study.json");
  const one = { name: "small", results: join(folder, "experiment"), ...setting };
  await writeFile(file, JSON.stringify({ sets: 8, settings: [one], ...settings }));
  return file;
}

describe("an experiment's results", () => {
  beforeEach(() => writeResults(["none", "cfg"]));

  test("become sets of one subject, prompt and seed, with the prompt in plain words", async () => {
    const study = await made(await writeFileAbout({ methods: { Fern: "cfg", Moss: "none" } }));
    expect(study.settings).toEqual([{ name: "small", methods: ["Fern", "Moss"] }]);
    const told = study.sets.map(({ subject, text, seed }) => `${subject}, ${text}, ${seed}`).sort();
    expect(told).toEqual(
      ["brown_dog, a dog", "duck_toy, a duck toy"]
        .flatMap((one) => [`${one} in the snow`, `${one} on the beach`])
        .flatMap((one) => [`${one}, 7`, `${one}, 8`])
        .sort(),
    );
    for (const { pictures, subject, seed } of study.sets) {
      const means = await Promise.all(
        pictures.map(async (name) =>
          (await sharp(join(out, "pictures", name)).stats()).channels.map(({ mean }) => mean),
        ),
      );
      // cfg is the second row of the experiment and the first method of the study.
      expect(means.map(([r]) => r)).toEqual([50, 0]);
      expect(means.every(([, g, b]) => b === seed && g! >= 50 === (subject === "duck_toy"))).toBe(true);
    }
  });

  test("show their subjects' own pictures, as many as asked for", async () => {
    const study = await made(await writeFileAbout({ methods: { Fern: "cfg", Moss: "none" } }, { references: 3 }));
    expect(study.sets.every(({ references }) => references.length === 3)).toBe(true);
    expect(new Set(study.sets.flatMap(({ references }) => references)).size).toBe(6);
  });

  test.each([
    ["a row that it does not have", { methods: { Fern: "cfg", Moss: "pg 0" } }, "study-invalid", ["pg 0", "none, cfg"]],
    [
      "a fine-tuning that it does not have",
      { fineTuning: "dreambooth", methods: { A: "cfg", B: "none" } },
      "study-invalid",
      ["dreambooth"],
    ],
    ["one method", { methods: { Fern: "cfg" } }, "study-invalid", ["methods", "two"]],
    ["a method named undecided", { methods: { Fern: "cfg", undecided: "none" } }, "study-invalid", ["undecided"]],
    ["a misspelled key", { metods: {} }, "study-invalid", ["methods"]],
    ["no results", { results: "nowhere", methods: { A: "cfg", B: "none" } }, "experiment-missing", ["nowhere"]],
  ] as const)("are refused with %s", async (_, setting, code, facts) => {
    await expect(made(await writeFileAbout(setting))).rejects.toEqual(refusal(code, ...facts));
  });

  test("of two settings of one name are refused", async () => {
    const file = await writeFileAbout({ methods: { A: "cfg", B: "none" } });
    const { settings } = JSON.parse(await readFile(file, "utf8"));
    await writeFile(file, JSON.stringify({ settings: [settings[0], settings[0]] }));
    await expect(made(file)).rejects.toEqual(refusal("study-invalid", "small", "twice"));
  });

  test("are not read from a folder without a study, and pictures from no other folder than the study's", async () => {
    await expect(readStudy(folder)).rejects.toEqual(refusal("study-missing", folder));
    const study = await made(await writeFileAbout({ methods: { A: "cfg", B: "none" } }));
    const [first, ...others] = study.sets;
    const elsewhere = { ...first!, pictures: ["../../a.png", first!.pictures[1]!] };
    await writeFile(join(out, "study.json"), JSON.stringify({ ...study, sets: [elsewhere, ...others] }));
    await expect(readStudy(out)).rejects.toEqual(refusal("json-unexpected", "sets.0.pictures.0"));
  });
});

test("sets are spread over subjects, and then over prompts", () => {
  const candidates = ["a", "b", "c"].flatMap((subject) =>
    [1, 2, 3, 4].flatMap((text) =>
      [0, 1, 2].map((seed) => ({ subject, text: `text ${text}`, seed, pictures: [], references: [] })),
    ),
  );
  const chosen = chosenFrom(candidates, 12, randomStream(0, "test", 0));
  const count = (key: "subject" | "text") =>
    [...new Set(chosen.map((one) => one[key]))].map((value) => chosen.filter((one) => one[key] === value).length);
  expect(count("subject")).toEqual([4, 4, 4]);
  expect(count("text")).toEqual([3, 3, 3, 3]);
  expect(new Set(chosen).size).toBe(12);
});

test("plain words have the article that is said", () => {
  expect(plainWords("a alarm clock on the beach")).toBe("an alarm clock on the beach");
  expect(plainWords("a dog")).toBe("a dog");
  expect(plainWords(" a purple elephant ")).toBe("a purple elephant");
});
