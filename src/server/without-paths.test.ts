import { expect, test } from "vitest";
import { withoutPaths } from "./without-paths.ts";

test("folders of this machine are left out of a message, addresses and shares are not", () => {
  expect(withoutPaths("/home/me/data/pictures/a.png is not a picture")).toBe("a.png is not a picture");
  expect(withoutPaths("open 'C:\\\\Users\\\\me\\\\cat.png' failed")).toMatch(/cat\.png' failed$/);
  expect(withoutPaths("see https://huggingface.co/a/b and 3/4 of it")).toBe(
    "see https://huggingface.co/a/b and 3/4 of it",
  );
});
