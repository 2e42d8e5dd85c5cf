import { expect, test } from "vitest";
import { refusal } from "../../../test/refusal.ts";
import { engineMissing } from "./engine-missing.ts";

test("a library that does not load is reported; other errors are unchanged", () => {
  const failure = Object.assign(new Error("cannot open shared object file"), { code: "ERR_DLOPEN_FAILED" });
  expect(engineMissing(failure)).toEqual(refusal("engine-missing", process.platform, process.arch));
  const other = new Error("a defect");
  expect(engineMissing(other)).toBe(other);
});
