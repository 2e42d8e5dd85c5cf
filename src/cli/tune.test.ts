/** `tiller tune` refuses at once: */
import { expect, test } from "vitest";
import { refused } from "../../test/fake-world.ts";
import { refusal } from "../../test/refusal.ts";

const given = { "--adapter": "cat.safetensors", "--images": "my-cat", "--class": "cat" };
const tune = (options: Readonly<Record<string, string>>) => refused(["tune", ...Object.entries(options).flat()]);

test.each(Object.keys(given))("no %s", async (option) => {
  const { [option]: _, ...others } = given as Record<string, string>;
  const { code, error } = await tune(others);
  expect([code, error]).toEqual([2, refusal("option-missing", option)]);
});

test("only one of the two encoders", async () => {
  const { code, error } = await tune({ ...given, "--clip": "clip" });
  expect([code, error]).toEqual([2, refusal("option-missing", "--clip", "--dino")]);
});

test("a model other than dinghy with dinghy's encoders", async () => {
  const { code, error } = await tune({ ...given, "--model": "owner/sd" });
  expect([code, error]).toEqual([2, refusal("encoders-needed", "--clip", "--dino")]);
});
