/**
 * Writes pictures of the world to standard output, for external training programs: for each its RGB bytes [128, 128, 3], then its
 * caption's 77 ids of two bytes each.
 *
 *     node pretraining/run.js pictures-main training|held-out FIRST COUNT
 */
import { once } from "node:events";
import { pictureOfSample, worldSample } from "./sampling.ts";
import { worldTokens } from "./tokens.ts";

// The reader may close the pipe when it has enough.
process.stdout.on("error", () => process.exit(1));
const [kind, first, count] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const { encode } = worldTokens();
for (let i = first; i < first + count; i++) {
  const sample = worldSample(i, kind === "held-out" ? "held out" : "training");
  const ids = new Uint8Array(Uint16Array.from(encode(sample.caption)).buffer);
  if (!process.stdout.write(Buffer.concat([pictureOfSample(sample), ids]))) await once(process.stdout, "drain");
}
