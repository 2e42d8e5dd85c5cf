/**
 * Whether a test is to be skipped because the machine lacks something. Told loudly; where CI runs, nothing may be skipped.
 *
 * @throws Error where CI runs.
 */
export function skipped(there: unknown, what: string): boolean {
  if (there) return false;
  if (process.env.CI)
    throw new Error(`${what} Where CI runs no test may be skipped: .ci/run installs what is missing.`);
  console.warn(`\nSKIPPED: ${what}\n`);
  return true;
}
