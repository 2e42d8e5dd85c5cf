/**
 * Runs before every test file: whatever failure a test meets, its message is one line that ends with a period, and names in
 * `paths` what it names of this machine, so that none of it is left for those whom a server answers.
 */
import { realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { afterEach, expect, vi } from "vitest";

const wrong = vi.hoisted((): string[] => []);

vi.mock("../src/errors/error.ts", async (original) => {
  const errors = await original<typeof import("../src/errors/error.ts")>();
  const folders = [tmpdir(), realpathSync(tmpdir()), fileURLToPath(new URL("..", import.meta.url))];
  class TillerError extends errors.TillerError {
    constructor(...given: ConstructorParameters<typeof errors.TillerError>) {
      super(...given);
      const told = errors.withoutFolders(this);
      if (folders.some((folder) => told.includes(folder))) wrong.push(`a path is not in paths: ${this.message}`);
      if (!/^[^\n]*\.$/.test(this.message)) wrong.push(`not one line with a period: ${this.message}`);
    }
  }
  return { ...errors, TillerError };
});

afterEach(() => {
  expect(wrong.splice(0)).toEqual([]);
});
