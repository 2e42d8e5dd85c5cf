/** `scripts/documented.js` finds exports without a doc comment. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { undocumented } from "../scripts/documented.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiller-documented-"));
  await writeFile(
    join(folder, "tsconfig.json"),
    '{ "compilerOptions": { "module": "nodenext" }, "include": ["*.ts"] }',
  );
});
afterAll(() => rm(folder, { recursive: true }));

/** The findings if `entry.ts` exports everything in a file. */
async function found(text: string): Promise<string[]> {
  await writeFile(join(folder, "room.ts"), text);
  await writeFile(join(folder, "entry.ts"), 'export * from "./room.js";\n');
  const sentences = undocumented(join(folder, "tsconfig.json"), [join(folder, "entry.ts")]);
  return sentences.map((sentence) => /: (\S+) is exported/.exec(sentence)![1]!);
}

test("documented exports pass", async () => {
  const text = `
/** A function. */
export function one(): void {}
/** A constant. */
export const two = 2;
/** An interface. */
export interface Three {
  /** A member. */
  readonly four: number;
  /**
   * A method.
   */
  five(): void;
}
/** A union. */
export type Six = Three | { /** Another member. */ readonly seven: string };
const hidden = 0;
interface Hidden { readonly eight: number }
`;
  expect(await found(text)).toEqual([]);
});

test.each([
  ["a function", "export function planted(): void {}", ["planted"]],
  ["a constant", "/** Something else. */\nconst other = 1;\nexport const planted = other;", ["planted"]],
  ["a type", "export type Planted = string;", ["Planted"]],
  ["a class and its method", "export class Planted { method(): void {} }", ["Planted", "Planted.method"]],
  ["a member", "/** Said. */\nexport interface Said {\n  readonly planted: number;\n}", ["Said.planted"]],
  ["a member of a union", '/** Said. */\nexport type Said = { readonly planted: "a" } | string;', ["Said.planted"]],
  ["an export after a file's own comment", "/** The file. */\n\nexport const planted = 1;", ["planted"]],
  ["an export after a comment that is not a doc comment", "/* Not one. */\nexport const planted = 1;", ["planted"]],
  ["an export by another name", "const hidden = 1;\nexport { hidden as planted };", ["planted"]],
])("%s without a doc comment is found", async (_, text, names) => {
  expect(await found(text)).toEqual(names);
});
