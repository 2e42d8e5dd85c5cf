/** A vocabulary of the world's own words in CLIP's format: byte-pair merges learned until every word is one token. */
import { subjects } from "../src/world/subjects/index.ts";
import { liveThemes, thingThemes, wordsOf } from "../src/world/world.ts";

export interface Vocabulary {
  /** vocab.json. */
  readonly ids: Readonly<Record<string, number>>;
  /** The lines of merges.txt. */
  readonly merges: readonly string[];
}

/** Words of everyday prompts that occur in no caption. */
const further =
  "photo an the and or of with to by for its this that my your black white green blue brown orange gray small big old new cute happy sitting standing house tree flower garden car boat book sky night day rain sun sks ktn toy";

/** The counts of all words that captions can have. */
function wordCounts(): ReadonlyMap<string, number> {
  const texts = [
    further,
    "a picture of a drawing of one",
    ...[...liveThemes.values(), ...thingThemes.values()].flatMap((theme) => [
      wordsOf(theme).prompt,
      ...wordsOf(theme).paraphrases,
    ]),
    ...subjects.keys(),
  ];
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const word of text
      .replaceAll("{s}", " ")
      .toLowerCase()
      .match(/[a-z]+/g) ?? [])
      counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return counts;
}

/** GPT-2's byte-to-unicode map: printable bytes are themselves, the others map to code points from 256 on. */
function byteLetters(): string[] {
  const printable = (byte: number) => (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  const bytes = Array.from({ length: 256 }, (_, byte) => byte);
  const shown = bytes.filter(printable).map((byte) => String.fromCharCode(byte));
  return [...shown, ...bytes.filter((byte) => !printable(byte)).map((_, i) => String.fromCharCode(256 + i))];
}

export function worldVocabulary(): Vocabulary {
  const merges = learnMerges(wordCounts());
  const letters = byteLetters();
  const tokens = [
    ...letters,
    ...letters.map((letter) => `${letter}</w>`),
    ...merges.map((pair) => pair.replace(" ", "")),
    "<|startoftext|>",
    "<|endoftext|>",
  ];
  return { ids: Object.fromEntries(tokens.map((token, id) => [token, id])), merges };
}

/** Merges the most frequent pair repeatedly until every word is one symbol. */
function learnMerges(counts: ReadonlyMap<string, number>): string[] {
  const words = [...counts].map(([word, count]) => ({ parts: [...word.slice(0, -1), `${word.at(-1)}</w>`], count }));
  const merges: string[] = [];
  for (;;) {
    const pairs = new Map<string, number>();
    for (const { parts, count } of words) {
      for (let i = 0; i + 1 < parts.length; i++) {
        const pair = `${parts[i]} ${parts[i + 1]}`;
        pairs.set(pair, (pairs.get(pair) ?? 0) + count);
      }
    }
    if (pairs.size === 0) return merges;
    const [best] = [...pairs].reduce((a, b) => (b[1] > a[1] || (b[1] === a[1] && b[0] < a[0]) ? b : a));
    merges.push(best);
    for (const word of words) word.parts = joined(word.parts, best);
  }
}

function joined(parts: readonly string[], pair: string): string[] {
  const result: string[] = [];
  for (let i = 0; i < parts.length; i++) {
    if (i + 1 < parts.length && `${parts[i]} ${parts[i + 1]}` === pair) {
      result.push(parts[i]! + parts[++i]!);
    } else {
      result.push(parts[i]!);
    }
  }
  return result;
}
