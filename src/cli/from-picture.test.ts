/** The options of starting from a picture, up to the request. */
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
const called = (command: string, ...options: string[]) => [command, "--prompt", "a cat", "--out", out, ...options];

test("--image, --mask and --strength reach the request, with absolute paths and the usual strength", async () => {
  const { requests } = await tiller(called("generate", "--image", "package.json", "--strength", "0.3"));
  expect(requests[0]).toMatchObject({ image: expect.stringMatching(/^[/A-Z].*package\.json$/), strength: 0.3 });
  const usual = async (...more: string[]) =>
    (await tiller(called("generate", "--image", "a.png", ...more))).requests[0]!.strength;
  expect(await usual()).toBe(0.8);
  expect(await usual("--mask", "b.png")).toBe(1);
});

test.each([
  [["--image", "a.png", "--strength", "0"], "--strength 0 is too small: it must be more than 0"],
  [["--image", "a.png", "--strength", "1.2"], "--strength 1.2 is too large: the maximum is 1"],
  [["--image", "a.png", "--strength", "much"], "--strength much is not a number"],
])("refuses %j", async (options, message) => {
  const { error } = await refused(called("generate", ...options));
  expect(error).toMatchObject({ code: "option-invalid", message: expect.stringContaining(message), exitCode: 2 });
});

test.each([[["--mask", "a.png"]], [["--strength", "0.5"]]])("refuses %j without a picture", async (options) => {
  expect((await refused(called("generate", ...options))).error).toMatchObject({ code: "image-missing", exitCode: 2 });
});

test("a sweep varies the strength of one picture, and names files and cells by it", async () => {
  const { requests, json } = await tiller(called("sweep", "--image", "a.png", "--strength", "0.2:0.6:0.2", "--json"));
  expect(requests.map(({ strength }) => strength)).toEqual([0.2, 0.4, 0.6]);
  const { pictures } = json() as { pictures: { file: string }[] };
  expect(pictures.map(({ file }) => /strength[\d.]+(?=[-.])/.exec(file)?.[0])).toEqual([
    "strength0.2",
    "strength0.4",
    "strength0.6",
  ]);
});
