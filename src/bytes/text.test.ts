/** Captions and prompts in the encodings that text editors write. */
import { describe, expect, test } from "vitest";
import { chance, expectBoth, mutate, mutations, survives } from "../../test/fuzz.ts";
import { refusal } from "../../test/refusal.ts";
import { decodeText, decodeWords } from "./text.ts";

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));
const utf16 = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "utf16le"));
const swapped = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "utf16le").swap16());
const marked = (mark: string, rest: Uint8Array): Uint8Array => Uint8Array.from([...bytes(mark), ...rest]);

describe("a text", () => {
  test.each([
    ["UTF-8", new TextEncoder().encode("a sks cat, é 猫 🐈")],
    ["UTF-8 with its mark", marked("efbbbf", new TextEncoder().encode("a sks cat, é 猫 🐈"))],
    ["UTF-16 LE, Notepad's Unicode", marked("fffe", utf16("a sks cat, é 猫 🐈"))],
    ["UTF-16 BE", marked("feff", swapped("a sks cat, é 猫 🐈"))],
  ])("in %s is read", (_, given) => {
    expect(decodeWords(given, "a.txt")).toBe("a sks cat, é 猫 🐈");
  });

  // Made with Python's str.encode.
  test.each([
    ["cp1252: a café’s cat", "61 20 63 61 66 e9 92 73 20 63 61 74"],
    ["latin-1: ein Kätzchen", "65 69 6e 20 4b e4 74 7a 63 68 65 6e"],
    ["Shift-JIS: 猫, sks cat", "94 4c 2c 20 73 6b 73 20 63 61 74"],
    ["GBK: 猫在雪地里", "c3 a8 d4 da d1 a9 b5 d8 c0 ef"],
    ["GBK whose bytes are valid UTF-8: 一只猫, sks cat", "d2 bb d6 bb c3 a8 2c 20 73 6b 73 20 63 61 74"],
    ["UTF-16 without its mark", "61 00 20 00 63 00 61 00 74 00"],
    ["UTF-16 cut in half", "ff fe 61 00 20"],
    ["UTF-16 with half a surrogate", "ff fe 3d d8"],
    ["UTF-32", "ff fe 00 00 61 00 00 00"],
    ["UTF-8 cut short", "61 20 e7 8c"],
    ["a surrogate in UTF-8", "ed a0 bd"],
    ["a binary file", "00 01 02 03"],
  ])("in %s is refused, naming the file", (_, hex) => {
    expect(() => decodeWords(bytes(hex), "a.txt")).toThrow(refusal("text-encoding", "a.txt", "UTF-8"));
  });

  test.each(["čeština, κόσμος, мир", "שלום, مرحبا", "naïve Müller", "5 µm, Ω", "кафе é"])(
    "in several scripts, but only one in a word, is read: %s",
    (text) => expect(decodeWords(new TextEncoder().encode(text), "a.txt")).toBe(text),
  );

  test("with a byte order mark may mix scripts in a word", () => {
    expect(decodeWords(marked("efbbbf", new TextEncoder().encode("щéд")), "a.txt")).toBe("щéд");
  });
});

test("mutated texts are refused, or give the same bytes when written again", async () => {
  const dice = chance(1);
  const sources = ["a sks cat, é 猫 🐈", "ein Kätzchen im Schnee", '{"file_name": "a.png", "text": "a cat"}'];
  const count = mutations(20_000);
  let texts = 0;
  for (let i = 0; i < count; i++) {
    const text = dice.pick(sources);
    const encodings = [new TextEncoder().encode(text), marked("fffe", utf16(text)), marked("feff", swapped(text))];
    const given = mutate(dice, Buffer.from(dice.pick(encodings)), {
      words: ["\xff\xfe", "\xef\xbb\xbf", "\0", "\r\n"],
    });
    const decode = () => {
      const read = decodeText(given, "a.txt");
      const utf8 = new TextEncoder().encode(read);
      const again = [utf8, marked("efbbbf", utf8), marked("fffe", utf16(read)), marked("feff", swapped(read))];
      expect(again.some((one) => given.equals(one))).toBe(true);
    };
    if (await survives(decode, () => given.toString("hex"))) texts++;
  }
  expectBoth(texts, count);
});
