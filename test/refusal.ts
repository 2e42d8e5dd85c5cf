/** Matchers for errors: the code, and facts in the message. */
import type { ErrorCode } from "../src/errors/index.ts";

/**
 * Matches a TillerError with this code, and its serialised forms: the command line's `error`, a server's answer, a job.
 *
 * @param facts What the message must contain: a file, a key, an option, a number; never its wording.
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
