/** The options for what SDXL is told of sizes and crops, and the negative prompt, up to the request. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { refused, tiller } from "../../test/fake-world.ts";

let out: string;
beforeAll(async () => {
  out = await mkdtemp(join(tmpdir(), "tiller-test-"));
});
afterAll(() => rm(out, { recursive: true }));
const called = (...options: string[]) => ["generate", "--prompt", "a cat", "--out", out, ...options];

test("sizes and crops reach the request", async () => {
  const { requests } = await tiller(
    called(
      ...["--original-size", "512x768", "--crop", "0,128", "--target-size", "1024x1024"],
      ...["--negative-original-size", "64x32", "--negative-crop", "3,4", "--negative-target-size", "8x9"],
    ),
  );
  expect(requests[0]).toMatchObject({
    originalSize: { width: 512, height: 768 },
    crop: { left: 0, top: 128 },
    targetSize: { width: 1024, height: 1024 },
    negativeOriginalSize: { width: 64, height: 32 },
    negativeCrop: { left: 3, top: 4 },
    negativeTargetSize: { width: 8, height: 9 },
  });
});

test("an empty negative prompt and none are told apart where the model does", async () => {
  const zeros = { defaults: { negative: undefined } };
  expect((await tiller(called(), zeros)).requests[0]).not.toHaveProperty("negative");
  expect((await tiller(called("--negative", ""), zeros)).requests[0]).toMatchObject({ negative: "" });
  expect((await tiller(called())).requests[0]).toMatchObject({ negative: "" });
});

test.each([
  [["--original-size", "512"], "--original-size 512 is not in pixels: give WIDTHxHEIGHT"],
  [["--target-size", "512x-3"], "--target-size 512x-3 is not in pixels"],
  [["--crop", "0x3"], "--crop 0x3 is not in pixels: give LEFT,TOP"],
  [["--negative-crop", "1,2,3"], "--negative-crop 1,2,3 is not in pixels"],
])("refuses %j", async (options, message) => {
  const { error } = await refused(called(...options));
  expect(error).toMatchObject({ code: "option-invalid", message: expect.stringContaining(message), exitCode: 2 });
});
