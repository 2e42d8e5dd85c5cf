/** What an error reveals to other machines. */
import { expect, test } from "vitest";
import { TillerError, withoutFolders } from "./index.ts";

test.each([
  ["/data/cats/a.png is damaged.", ["/data/cats/a.png"], "a.png is damaged."],
  ["C:\\data\\cats\\a.png is damaged.", ["C:\\data\\cats\\a.png"], "a.png is damaged."],
  ["The folder /data/cats/ is empty.", ["/data/cats/"], "The folder cats is empty."],
  [
    "/data/a has no b, which /data/a/index.json names.",
    ["/data/a", "/data/a/index.json"],
    "a has no b, which index.json names.",
  ],
  ["/data/a is not /data/a.", ["/data/a"], "a is not a."],
  ["a/b of c is not /a/b.", ["/a/b"], "a/b of c is not b."],
  ["There is no model owner/name.", [], "There is no model owner/name."],
])("%s is shortened to the last part of its paths", (message, paths, told) => {
  expect(withoutFolders({ message, paths })).toBe(told);
});

test("paths of a wrapped error are shortened too", () => {
  const inner = new TillerError("file-missing", "/data/a does not exist.", { paths: ["/data/a"] });
  const outer = new TillerError("experiment-incomplete", `not all is done: ${inner.message}`, { cause: inner });
  expect(outer.paths).toEqual(["/data/a"]);
  expect(withoutFolders(outer)).toBe("not all is done: a does not exist.");
});

test("so are paths in a system error", () => {
  const cause = Object.assign(new Error("EPERM: rename '/data/a' -> '/data/b'"), { path: "/data/a", dest: "/data/b" });
  const failure = new TillerError("file-not-written", `${cause.message}.`, { cause });
  expect(withoutFolders(failure)).toBe("EPERM: rename 'a' -> 'b'.");
});

test("an error's kind is that of its code", () => {
  expect(new TillerError("option-missing", "--prompt is missing.").kind).toBe("usage");
  expect(new TillerError("file-missing", "a does not exist.").kind).toBe("failed");
});
