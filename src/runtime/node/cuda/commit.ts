/** The commit that ONNX Runtime was built from, as its library says. */
import { createReadStream } from "node:fs";

const mark = /git-commit-id=([0-9a-f]{7,40})/;
/** Longer than the mark with a commit, which may span two chunks. */
const overlap = 64;

export async function commitIn(library: string): Promise<string | undefined> {
  let before = "";
  for await (const piece of createReadStream(library, { highWaterMark: 1 << 22 })) {
    const text = before + (piece as Buffer).toString("latin1");
    // At the end of a chunk the commit may be incomplete.
    const found = mark.exec(text);
    if (found && found.index + overlap <= text.length) return found[1];
    before = text.slice(-2 * overlap);
  }
  return mark.exec(before)?.[1];
}
