/**
 * Queues, workers and listeners of BullMQ. One that is made while its server is away keeps that failure for ever, so it is thrown
 * away, and another is made.
 */
import { orAborted } from "../aborted.ts";
import { insist, sleep } from "./away.ts";

interface Closable {
  close(force?: boolean): Promise<unknown>;
}

interface BullObject extends Closable {
  on(event: "error", listener: () => void): unknown;
  waitUntilReady(): Promise<unknown>;
}

/** Makes an object that has reached its server; waits for the server until `signal` is aborted. */
export function made<T extends BullObject>(make: () => T, signal: AbortSignal): Promise<T> {
  return insist(async () => {
    const object = make();
    // Failures reach the calls; without a listener they would end the process.
    object.on("error", () => {});
    try {
      await orAborted(object.waitUntilReady(), signal);
      return object;
    } catch (error) {
      await discard(object);
      throw error;
    }
  }, signal);
}

/** Milliseconds that a server has to answer when it is left. */
const farewell = 1000;

/** Closes an object; whether its server answers does not matter. */
export async function discard(object: Closable): Promise<void> {
  const closed = new AbortController();
  const closing = object
    .close(true)
    .catch(() => {})
    .finally(() => closed.abort());
  await Promise.race([closing, sleep(farewell, closed.signal)]);
}
