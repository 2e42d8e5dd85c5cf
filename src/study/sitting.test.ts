/** A participant's answers, kept in files. */
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { refusal } from "../../test/refusal.ts";
import { writeStudyPictures } from "../../test/study-pictures.ts";
import { makeStudy } from "./make.ts";
import { shownTo } from "./order.ts";
import { invite, participantsOf } from "./participants.ts";
import { openSittings, type Sittings } from "./sitting.ts";
import { readStudy } from "./study.ts";
import { readStudyFile } from "./study-file.ts";

let folder: string;
let study: string;
let sittings: Sittings;
let [first, second] = ["", ""];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-study-"));
  study = join(folder, "study");
  const { file } = await writeStudyPictures(folder, 2);
  await makeStudy(await readStudyFile(file), study);
  [first, second] = (await invite(study, 2)) as [string, string];
  sittings = await openSittings(study);
});
afterEach(() => rm(folder, { recursive: true }));

const answerAll = async (code: string) => {
  for (let position = 1; position <= 4; position++)
    await sittings.answer(code, position, { subject: "a", text: "undecided" });
};

test("answers are kept by method, whatever the letter under which it was shown", async () => {
  const { sets, settings } = await readStudy(study);
  for (const [code, number] of [
    [first, 1],
    [second, 2],
  ] as const) {
    await answerAll(code);
    const { answers } = (await participantsOf(study)).find((one) => one.number === number)!;
    for (const { set, places } of shownTo({ ...(await readStudy(study)) }, number)) {
      const { methods } = settings[sets[set]!.setting]!;
      expect(answers[set]).toMatchObject({ subject: methods[places[0]!], text: null });
    }
  }
});

test("an answer can be corrected until the end, question by question, and no longer", async () => {
  expect(await sittings.answer(first, 2, { subject: "b" })).toBe(false);
  expect((await sittings.page(first, 2)).chosen).toEqual({ subject: "b" });
  expect(await sittings.answer(first, 2, { text: "a" })).toBe(true);
  await sittings.answer(first, 2, { subject: "undecided" });
  expect((await sittings.page(first, 2)).chosen).toEqual({ subject: "undecided", text: "a" });
  await expect(sittings.end(first)).rejects.toEqual(refusal("study-unfinished", "Set 1"));
  await answerAll(first);
  await sittings.end(first);
  await expect(sittings.answer(first, 2, { subject: "b" })).rejects.toEqual(refusal("study-ended"));
  const ended = (await participantsOf(study))[0]!.ended;
  await sittings.end(first);
  expect((await participantsOf(study))[0]!.ended).toBe(ended);
  // The others go on.
  expect(await sittings.answer(second, 2, { subject: "b", text: "b" })).toBe(true);
});

test("answers survive reopening, and an interrupted write", async () => {
  await sittings.answer(first, 1, { subject: "b", text: "undecided" });
  await sittings.answer(first, 3, { text: "a" });
  await writeFile(join(study, "answers", `.${first}.json.0123abcd.tmp`), '{"number":1,"ans');
  const again = await openSittings(study);
  expect((await again.page(first, 1)).chosen).toEqual({ subject: "b", text: "undecided" });
  expect((await again.page(first, 3)).chosen).toEqual({ text: "a" });
  expect(await again.progress(first)).toMatchObject({ answered: 1, next: 2, sets: 4, ended: false });
  expect(await again.progress(second)).toMatchObject({ answered: 0, next: 1 });
  expect(await participantsOf(study)).toHaveLength(2);
});

test("answers that arrive at the same time are all kept", async () => {
  await Promise.all(
    [1, 2, 3, 4].flatMap((position) => [
      sittings.answer(first, position, { subject: "a" }),
      sittings.answer(first, position, { text: "b" }),
      sittings.answer(second, position, { subject: "b", text: "b" }),
    ]),
  );
  expect(await sittings.progress(first)).toMatchObject({ answered: 4, next: undefined });
  expect(await sittings.progress(second)).toMatchObject({ answered: 4 });
  // A refused answer does not hold up the next.
  const [refused, kept] = await Promise.allSettled([
    sittings.answer(first, 9, { subject: "a" }),
    sittings.answer(first, 1, { subject: "b" }),
  ]);
  expect([refused.status, kept.status]).toEqual(["rejected", "fulfilled"]);
});

test.each([
  ["a code that is nobody's", "0123456789abcdef0123"],
  ["a path", "../study"],
  ["nothing", ""],
])("%s is refused", async (_, code) => {
  await expect(sittings.progress(code)).rejects.toEqual(refusal("participant-unknown"));
  await expect(sittings.answer(code, 1, { subject: "a" })).rejects.toEqual(refusal("participant-unknown"));
});

test("a set, a picture or an answer that is not there is refused, and changes nothing", async () => {
  await expect(sittings.page(first, 5)).rejects.toEqual(refusal("study-set-unknown", "5", "1 to 4"));
  await expect(sittings.page(first, 0)).rejects.toEqual(refusal("study-set-unknown", "0"));
  await expect(sittings.picture(first, 1, "c")).rejects.toEqual(refusal("study-set-unknown"));
  await expect(sittings.picture(first, 1, "subject-2")).rejects.toEqual(refusal("study-set-unknown"));
  await expect(sittings.answer(first, 1, { subject: "c" })).rejects.toEqual(
    refusal("study-answer-invalid", '"c"', "a to b"),
  );
  await expect(sittings.answer(first, 1, { subject: "Fern" })).rejects.toEqual(refusal("study-answer-invalid"));
  expect(await sittings.progress(first)).toMatchObject({ answered: 0 });
});

test("invitations have numbers and codes of their own", async () => {
  const more = await invite(study, 3);
  const all = await participantsOf(study);
  expect(all.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5]);
  expect(all.map(({ code }) => code)).toEqual([first, second, ...more]);
  expect(new Set(all.map(({ code }) => code)).size).toBe(5);
  expect(await readdir(join(study, "answers"))).toHaveLength(5);
  expect(await sittings.progress(more[2]!)).toMatchObject({ answered: 0 });
});
