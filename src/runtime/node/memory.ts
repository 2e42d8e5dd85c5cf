/** How much memory there is. */
import { totalmem } from "node:os";

/** The machine's, or what a container allows of it. */
export function totalMemory(): number {
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}
