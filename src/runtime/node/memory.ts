/** The size of memory. */
import { totalmem } from "node:os";

/** Bytes of memory: the machine's, or the limit of the container. */
export function totalMemory(): number {
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}
