/** `tiller edit`, up to the request. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { refused } from "../../test/fake-world.ts";

let out: string;
beforeAll(async () => {
  out = await mkdtemp(join(tmpdir(), "tiller-test-"));
});
afterAll(() => rm(out, { recursive: true }));

test("an edit without a picture is refused before a model is opened", async () => {
  const { error } = await refused(["edit", "--prompt", "make it snow", "--out", out]);
  expect(error).toMatchObject({ code: "image-missing", message: expect.stringContaining("--image"), exitCode: 2 });
});

test("a model that edits nothing is refused by name", async () => {
  const { error } = await refused(["edit", "--prompt", "make it snow", "--image", "a.png", "--out", out]);
  expect(error).toMatchObject({ code: "model-unsupported", message: expect.stringContaining("dinghy"), exitCode: 1 });
});
