/**
 * Whether to skip a test because the machine lacks something, with a message. In CI nothing may be skipped.
 *
 * @throws Error in CI.
 */
export function skipped(there: unknown, what: string): boolean {
  if (there) return false;
  if (process.env.CI) throw new Error(`${what} In CI no test may be skipped: .ci/run installs what is missing.`);
  console.warn(`\nSKIPPED: ${what}\n`);
  return true;
}
