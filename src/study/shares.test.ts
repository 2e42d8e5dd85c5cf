import { describe, expect, test } from "vitest";
import { intervalOf } from "../experiments/crossed.ts";
import { randomStream } from "../random/streams.ts";
import { answerRows, answersCsv, sharesCsv, studyJson } from "./export.ts";
import type { Participant } from "./participants.ts";
import { shareInterval, sharesOf } from "./shares.ts";
import type { Study } from "./study.ts";

const set = (setting: number, pictures: number) => ({
  setting,
  subject: "dog",
  text: "a dog, in the snow",
  seed: 4,
  pictures: Array.from({ length: pictures }, (_, i) => `${i}.png`),
  references: ["9.png"],
});

/** Two sets of two methods, and one of three. */
const study: Study = {
  tiller: "0",
  title: "x",
  seed: 0,
  settings: [
    { name: "two", methods: ["CFG", "PG"] },
    { name: "three", methods: ["CFG", "PG", "=AG"] },
  ],
  sets: [set(0, 2), set(0, 2), set(1, 3)],
};

const at = "2030-01-01T00:00:00.000Z";
const person = (number: number, ended: boolean, ...given: [string | null, string | null][]): Participant => ({
  number,
  ...(ended && { ended: at }),
  answers: Object.fromEntries(given.map(([subject, text], i) => [i, { subject, text, at }])),
});

const people = [
  person(1, true, ["PG", null], ["PG", "CFG"], ["=AG", "PG"]),
  person(2, true, ["PG", "PG"], [null, "PG"], ["PG", "PG"]),
  // Not counted: unfinished, and not begun.
  person(3, false, ["CFG", "CFG"], ["CFG", "CFG"]),
  person(4, false),
];

describe("shares", () => {
  test("are those counted by hand, of the participants who have finished", () => {
    const { participants, settings } = sharesOf(study, people);
    expect(participants).toEqual({ invited: 4, begun: 3, finished: 2 });
    const told = settings.map(({ setting, sets, subject, text }) => [
      setting,
      sets,
      subject.map(({ choice, share }) => [choice, share]),
      text.map(({ choice, share }) => [choice, share]),
    ]);
    expect(told).toEqual([
      [
        "two",
        2,
        // The first: PG twice. The second: PG once, undecided once.
        [
          ["CFG", 0],
          ["PG", 0.75],
          ["undecided", 0.25],
        ],
        // The first: undecided, CFG. The second: PG twice.
        [
          ["CFG", 0.25],
          ["PG", 0.5],
          ["undecided", 0.25],
        ],
      ],
      [
        "three",
        1,
        [
          ["CFG", 0],
          ["PG", 0.5],
          ["=AG", 0.5],
          ["undecided", 0],
        ],
        [
          ["CFG", 0],
          ["PG", 1],
          ["=AG", 0],
          ["undecided", 0],
        ],
      ],
    ]);
  });

  test("have no interval from one participant, and no value from none", () => {
    const { settings } = sharesOf(study, [people[0]!]);
    expect(settings[0]!.subject[1]).toMatchObject({ share: 1, low: Number.NaN, high: Number.NaN });
    expect(sharesOf(study, [people[2]!]).settings[0]!.subject[0]!.share).toBeNaN();
  });

  test("stand beside the paper's where the setting is the paper's", () => {
    const paper = { setting: "SANA, DB-LoRA", choices: ["PG", "CFG", "CFG+AG"] };
    const one: Study = {
      ...study,
      settings: [study.settings[0]!, { name: "three", methods: ["ours", "cfg", "ag"], paper }],
    };
    const [two, three] = sharesOf(one, people).settings;
    expect(two!.subject.every(({ published }) => published === undefined)).toBe(true);
    expect(three!.subject.map(({ choice, published }) => [choice, published])).toEqual(
      [
        ["ours", 0.6832] as const,
        ["cfg", 0.0248] as const,
        ["ag", 0.0217] as const,
        ["undecided", 0.2701] as const,
      ].map(([choice, share]) => [choice, expect.closeTo(share, 9)]),
    );
  });
});

describe("an interval", () => {
  test("is that of participants' shares: about Student's where shares are far from 0 and 1", () => {
    const shares = [0.2, 0.8, 0.3, 0.7, 0.4, 0.6, 0.5, 0.5, 0.1, 0.9];
    const { low, high } = shareInterval(shares, 15);
    const student = intervalOf(shares.map((value, i) => ({ concept: String(i), prompt: "", value })));
    // Wilson's is a little narrower here: 0.17 to either side in place of 0.19.
    expect(Math.abs(low - student.low)).toBeLessThan(0.02);
    expect(Math.abs(high - student.high)).toBeLessThan(0.02);
  });

  test("has a width where everyone says the same, and stays within 0 and 1", () => {
    const none = shareInterval(Array(10).fill(0), 15);
    expect(none.share).toBe(0);
    expect(none.low).toBeCloseTo(0, 12);
    // Wilson's for 0 of 10 with Student's quantile for 9 degrees of freedom, 2.262.
    expect(none.high).toBeCloseTo(2.262 ** 2 / (10 + 2.262 ** 2), 3);
    const all = shareInterval(Array(10).fill(1), 15);
    expect(all.high).toBeCloseTo(1, 12);
    expect(all.low).toBeCloseTo(1 - none.high, 9);
  });

  // Answers of a participant resemble each other: each has a share of its own, Beta distributed with this correlation.
  test.each([
    [0.1, 0.05, 20],
    [0.3, 0.3, 10],
    [0.3, 0.05, 20],
    [0.55, 0.3, 20],
  ])(
    "holds a share of %s, with answers correlated %s, of %s participants in 93 to 97.5 percent of 2,000 studies",
    (p, correlation, count) => {
      const random = randomStream(7, `studies ${p} ${correlation}`, count);
      const total = (1 - correlation) / correlation;
      let held = 0;
      for (let study = 0; study < 2000; study++) {
        const shares = Array.from({ length: count }, () => {
          const own = beta(p * total, (1 - p) * total, random);
          return Array.from({ length: 15 }, () => Number(random.uniform() < own)).reduce((a, b) => a + b, 0) / 15;
        });
        const { low, high } = shareInterval(shares, 15);
        if (low <= p && p <= high) held++;
      }
      // 95 %, and three standard deviations of 2,000 draws to either side, less what few participants cost.
      expect(held / 2000).toBeGreaterThan(0.93);
      expect(held / 2000).toBeLessThan(0.975);
    },
  );
});

type Random = ReturnType<typeof randomStream>;

/** From two gamma variates. */
function beta(a: number, b: number, random: Random): number {
  const [x, y] = [gamma(a, random), gamma(b, random)];
  return x / (x + y);
}

/** Marsaglia and Tsang, 2000. */
function gamma(shape: number, random: Random): number {
  if (shape < 1) return gamma(shape + 1, random) * (1 - random.uniform()) ** (1 / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = Math.sqrt(-2 * Math.log(1 - random.uniform())) * Math.cos(2 * Math.PI * random.uniform());
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(1 - random.uniform()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
  }
}

describe("exports", () => {
  test("have a line for every answer, with what was shown", () => {
    const rows = answerRows(study, people);
    // Three sets of two people, two of a third; two questions each.
    expect(rows).toHaveLength(2 * (3 + 3 + 2));
    const lines = answersCsv(rows).trimEnd().split("\r\n");
    expect(lines).toHaveLength(rows.length + 1);
    const one = rows.find((row) => row.participant === 1 && row.set === 2 && row.question === "subject")!;
    expect(one).toMatchObject({ finished: true, setting: "three", answer: "=AG", subject: "dog", seed: 4 });
    expect([...one.shown].sort()).toEqual(["=AG", "CFG", "PG"]);
    // No spreadsheet takes a method's name for a formula.
    expect(lines.find((line) => line.startsWith("1,true") && line.includes(`"subject","'=AG"`))).toBeDefined();
  });

  test("of shares leave cells without a number empty", () => {
    const [heads, first] = sharesCsv(sharesOf(study, [people[0]!])).split("\r\n");
    expect(heads).toBe('"setting","question","answer","share","low","high","published"');
    expect(first).toBe('"two","subject","CFG","0.0000","","",""');
  });

  test("as JSON have the study, the shares and the answers, and no file's name", () => {
    const told = JSON.parse(studyJson(study, people));
    expect(told.sets[2]).toEqual({ set: 2, setting: 1, subject: "dog", prompt: "a dog, in the snow", seed: 4 });
    expect(told.shares.settings[0].subject[1].share).toBe(0.75);
    expect(told.answers).toHaveLength(16);
    expect(JSON.stringify(told)).not.toContain(".png");
  });
});
