/**
 * Writes pictures of the world to standard output, RGB bytes [count, 128, 128, 3], for training programs that are not ours:
 *
 *     node dist/world/pretrain/pictures-main.js training|held-out FIRST COUNT
 */
import { once } from "node:events";
import { pictureOfSample, worldSample } from "./sampling.ts";

// A reader that has all it wants may leave.
process.stdout.on("error", () => process.exit(1));
const [kind, first, count] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
for (let i = first; i < first + count; i++) {
  const pixels = pictureOfSample(worldSample(i, kind === "held-out" ? "held out" : "training"));
  if (!process.stdout.write(pixels)) await once(process.stdout, "drain");
}
