/** What tests expect of a failure: its code, and the facts that its message must name. */
import type { ErrorCode } from "../src/errors/index.ts";

/**
 * Matches a TillerError with this code, and whatever tells of one: the command line's `error`, an answer of the server, a job.
 *
 * @param facts What the message must hold: a file, a key, an option, a number; never the words around it.
 */
export const refusal = (code: ErrorCode, ...facts: readonly string[]) => ({
  $$typeof: Symbol.for("jest.asymmetricMatcher"),
  asymmetricMatch(found: unknown): boolean {
    const { code: its, message, error } = { ...(found as Told), message: (found as Told | undefined)?.message };
    const words = message ?? error;
    return its === code && typeof words === "string" && facts.every((fact) => words.includes(fact));
  },
  toString: () => "refusal",
  getExpectedType: () => "object",
  toAsymmetricMatcher: () => `refusal(${[code, ...facts].map((one) => JSON.stringify(one)).join(", ")})`,
});

interface Told {
  readonly code?: unknown;
  readonly message?: unknown;
  readonly error?: unknown;
}
