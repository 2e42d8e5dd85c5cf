/** A server that is away for a while: what that looks like, and waiting for it. */
import { orAborted } from "../aborted.ts";

/** Whether an error says that the server is away or just starting. */
export function isAway(error: unknown): boolean {
  const { code, message = "" } = error as { code?: string; message?: string };
  if (
    code !== undefined &&
    /^(?:ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|57P0|08)/.test(code)
  )
    return true;
  return /connection (?:is closed|terminated|timeout)|connection error|timeout exceeded/i.test(message);
}

/** Milliseconds between two attempts. */
const rest = 500;

/**
 * Repeats a call while the server is away.
 *
 * @throws The reason of `signal` when it is aborted, even during a call, or the call's error if that is another.
 */
export async function insist<T>(call: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (;;) {
    signal.throwIfAborted();
    try {
      return await orAborted(call(), signal);
    } catch (error) {
      if (signal.aborted || !isAway(error)) throw error;
      await sleep(rest, signal);
    }
  }
}

/** The same, until `patience` milliseconds after `stop` is aborted, or after the beginning if that is later. */
export async function insistUntil<T>(call: () => Promise<T>, stop: AbortSignal, patience: number): Promise<T> {
  const over = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const begin = () => {
    timer = setTimeout(() => over.abort(stop.reason), patience);
  };
  stop.addEventListener("abort", begin, { once: true });
  if (stop.aborted) begin();
  try {
    return await insist(call, over.signal);
  } finally {
    clearTimeout(timer);
    stop.removeEventListener("abort", begin);
  }
}

/** Ends early when the signal is aborted. */
export function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      done();
    };
    const timer = setTimeout(end, milliseconds);
    signal.addEventListener("abort", end, { once: true });
    if (signal.aborted) end();
  });
}

/** Milliseconds after which a server that does not answer the first call is taken to be unreachable. */
const patience = 10_000;

/** @throws Error if `work` takes longer than a server that is there would. */
export async function within<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("it does not answer")), patience);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
