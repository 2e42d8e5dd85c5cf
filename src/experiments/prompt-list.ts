/** Reads files of prompts: PartiPrompts' table, StyleAligned's list, or a prompt on each line. */
import { readSmall } from "../bytes/json-file.ts";
import { decodeWords } from "../bytes/text.ts";
import { TillerError } from "../errors/index.ts";

/** A prompt from a file. */
export interface ListedPrompt {
  /** The words, as they are in the file. */
  readonly text: string;
  /** The style that StyleAligned's list gives it. */
  readonly style?: string;
}

/**
 * The distinct prompts of a file, in its order.
 *
 * - A table with a column `Prompt` in its first line, separated by tabs (PartiPrompts.tsv). Cells are taken as they are: a
 *   quotation mark is part of the prompt.
 * - Lines `object|object|…`, a tab, and a style (StyleAligned's list): every object is a prompt.
 * - Else every line is a prompt; empty lines are skipped.
 *
 * @throws TillerError if the file cannot be read, is not UTF-8, has no prompts, or a line of its table has no such column.
 */
export async function readPromptList(file: string): Promise<ListedPrompt[]> {
  const lines = decodeWords(await readSmall(file, largest), file).split(/\r\n?|\n/);
  const listed = promptsIn(lines, file);
  if (listed.length === 0)
    throw new TillerError("experiment-invalid", `${file} has no prompts: write one on each line.`, { paths: [file] });
  return [...new Map(listed.map((prompt) => [JSON.stringify(prompt), prompt])).values()];
}

/** PartiPrompts takes 123,107 bytes. */
const largest = 1 << 28;

function promptsIn(lines: readonly string[], file: string): ListedPrompt[] {
  const column = lines[0]!.split("\t").indexOf("Prompt");
  const filled = [...lines.entries()].filter(([, line]) => line.trim() !== "");
  if (column >= 0)
    return filled.slice(1).map(([i, line]) => {
      const text = line.split("\t")[column];
      if (text !== undefined && text.trim() !== "") return { text };
      throw new TillerError("experiment-invalid", `${file}: line ${i + 1} has no prompt in the column Prompt.`, {
        paths: [file],
      });
    });
  return filled.flatMap(([, line]): ListedPrompt[] => {
    const [words, style] = line.split("\t") as [string, string?];
    if (style === undefined) return [{ text: line.trim() }];
    return words.split("|").flatMap((text) => (text.trim() === "" ? [] : { text: text.trim(), style: style.trim() }));
  });
}
