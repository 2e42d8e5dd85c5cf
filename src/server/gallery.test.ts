import { expect, test } from "vitest";
import { newestFirst } from "./gallery.ts";

test("pictures are ordered by job, whatever digits the ids have, then by number within a job", () => {
  const oldestFirst = ["mif10zq-a1-0", "mif10zq-a1-2", "mif10zq-a1-10", "mif2aaa-0b-0", "mif2aaa-0b-step-3"];
  expect([...oldestFirst].sort(newestFirst).reverse()).toEqual(oldestFirst);
});
