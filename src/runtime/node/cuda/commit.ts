/** The commit that a build of ONNX Runtime names in itself. */
import { createReadStream } from "node:fs";

const mark = /git-commit-id=([0-9a-f]{7,40})/;
/** Longer than the mark and a commit, which may lie across two pieces. */
const overlap = 64;

export async function commitIn(library: string): Promise<string | undefined> {
  let before = "";
  for await (const piece of createReadStream(library, { highWaterMark: 1 << 22 })) {
    const text = before + (piece as Buffer).toString("latin1");
    // At the end of a piece the commit may be cut short.
    const found = mark.exec(text);
    if (found && found.index + overlap <= text.length) return found[1];
    before = text.slice(-2 * overlap);
  }
  return mark.exec(before)?.[1];
}
