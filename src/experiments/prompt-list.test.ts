/** Files of prompts in their three forms. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { refusal } from "../../test/refusal.ts";
import { readPromptList } from "./prompt-list.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-test-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function listed(text: string | Uint8Array) {
  const file = join(folder, "prompts");
  await writeFile(file, text);
  return readPromptList(file);
}

test("PartiPrompts' cells are taken as they are: quotation marks, spaces and numbers", async () => {
  const table = [
    "Prompt\tCategory\tChallenge\tNote",
    '"a" on a sign\tArts\tBasic\t',
    " 42 \tAbstract\tBasic\tx",
    "café\tArts\tBasic\t",
  ];
  expect(await listed(`${table.join("\n")}\n`)).toEqual([
    { text: '"a" on a sign' },
    { text: " 42 " },
    { text: "café" },
  ]);
  expect(await listed("Category\tPrompt\r\nArts\ta cat\r\n")).toEqual([{ text: "a cat" }]);
});

test("a row without a prompt is named by its line", async () => {
  await expect(listed("Category\tPrompt\nArts\ta cat\nArts\n")).rejects.toThrow(
    refusal("experiment-invalid", "line 3"),
  );
});

test("StyleAligned's list has objects and a style on each line", async () => {
  expect(await listed("A guitar|A sailboat\tin papercut art style.\nA cat|\tin ink\n")).toEqual([
    { text: "A guitar", style: "in papercut art style." },
    { text: "A sailboat", style: "in papercut art style." },
    { text: "A cat", style: "in ink" },
  ]);
});

test("any other file has a prompt on each line; repeated ones count once", async () => {
  expect(await listed("a cat\n\n  a dog \na cat\n")).toEqual([{ text: "a cat" }, { text: "a dog" }]);
});

test("a file without prompts, or in another encoding, is refused", async () => {
  await expect(listed("\n")).rejects.toThrow(refusal("experiment-invalid", folder));
  await expect(listed("Prompt\tCategory\n")).rejects.toThrow(refusal("experiment-invalid", folder));
  await expect(listed(Buffer.from("a café\nb\n", "latin1"))).rejects.toThrow(refusal("text-encoding", folder));
});
