/**
 * Runs before every test file and checks every error that a test meets: its message is one line ending in punctuation, and every
 * path in it is listed in `paths`, so that servers can hide it from clients.
 */
import { realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { afterEach, expect, vi } from "vitest";

/** One message per kind of problem, because fuzzing meets thousands. */
const wrong = vi.hoisted(() => new Map<string, string>());

vi.mock("../src/errors/error.ts", async (original) => {
  const errors = await original<typeof import("../src/errors/error.ts")>();
  const folders = [tmpdir(), realpathSync(tmpdir()), fileURLToPath(new URL("..", import.meta.url))];
  class TillerError extends errors.TillerError {
    constructor(...given: ConstructorParameters<typeof errors.TillerError>) {
      super(...given);
      const told = errors.withoutFolders(this);
      // An invalid name is repeated only to the client who sent it.
      if (this.code !== "name-invalid" && folders.some((folder) => told.includes(folder)))
        wrong.set("a path is missing in paths", this.message);
      if (!/^[^\n]*[.?)]$/.test(this.message)) wrong.set("not one line with an end", this.message);
    }
  }
  return { ...errors, TillerError };
});

afterEach(() => {
  const found = [...wrong];
  wrong.clear();
  expect(found).toEqual([]);
});
