/** Reaches a server of BullMQ's. */
import { TillerError } from "../errors/index.ts";
import { masked } from "./address.ts";
import type { BullConnection } from "./bull-connection.ts";
import { openPostgres } from "./bull-postgres.ts";
import { openRedis } from "./bull-redis.ts";

/** @throws TillerError if the server cannot be reached or may not be used. */
export async function connectBull(address: string, { insecure = false } = {}): Promise<BullConnection> {
  const url = new URL(address);
  const opening = url.protocol.startsWith("redis") ? openRedis : openPostgres;
  try {
    return await opening(url, insecure);
  } catch (error) {
    if (error instanceof TillerError) throw error;
    const { message, code } = error as NodeJS.ErrnoException;
    const reason = (message || String(code ?? error)).replace(/\.$/, "");
    // Not as the cause: a refused call has its arguments, and so may have the password.
    throw new TillerError("queue-unreachable", `the queue ${masked(address)} cannot be used: ${reason}.`);
  }
}
