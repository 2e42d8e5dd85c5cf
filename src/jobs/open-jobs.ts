/** Opens engines by their addresses. */
import { TillerError } from "../errors/index.ts";
import type { BullOptions } from "./bull.ts";
import { openEmbedded } from "./embedded.ts";
import type { Jobs } from "./job.ts";

/**
 * Opens an engine: without an address the embedded one, in this process's memory; with `redis://`, `rediss://` or `postgres://`
 * BullMQ on that server, which is loaded only then.
 *
 * @throws TillerError if the address is of neither kind, or its server cannot be reached or may not be used.
 */
export async function openJobs(address?: string, options: BullOptions = {}): Promise<Jobs> {
  if (address === undefined) return openEmbedded(options);
  const scheme = URL.canParse(address) ? new URL(address).protocol : "";
  if (!["redis:", "rediss:", "postgres:", "postgresql:"].includes(scheme)) {
    throw new TillerError(
      "address-invalid",
      "the queue's address must begin with redis://, rediss:// or postgres://, as in redis://127.0.0.1:6379.",
    );
  }
  const { openBull } = await import("./bull.ts");
  return openBull(address, options);
}
