/** Names of units: finished ones are found again, and never mistaken for others. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Computed, completedExperiment, parseExperiment } from "./experiment.ts";
import { planOf } from "./plan.ts";

let images: string;
beforeAll(async () => {
  images = await mkdtemp(join(tmpdir(), "tiller-test-"));
  await writeFile(join(images, "a.png"), "a");
});
afterAll(() => rm(images, { recursive: true }));

const usual = { sampler: "ddim", steps: 5, scale: 2, omegas: [] } as const;

async function keys(computed?: Computed) {
  const given = parseExperiment({
    name: "x",
    model: "m",
    personalisation: [{ method: "dreambooth", steps: 3 }],
    guidance: [{ method: "cfg", scale: 2 }],
    pictures: 1,
    ...(computed && { computed }),
  });
  const prompts = [{ name: "p", about: (subject: string) => `a ${subject}` }];
  const concepts = [{ name: "c", class: "cat", live: true, images, adapters: [], prompts }];
  const networks = { model: "1", encoders: ["2", "3", "dreambooth"] };
  const [cell] = await planOf(completedExperiment(given, usual), concepts, networks, "f");
  const { key: adapter, classFolder } = cell!.adapter!;
  return { adapter, class: basename(classFolder), pictures: basename(cell!.units[0]!.folder) };
}

// From before there were other engines and number types.
const ofBefore = {
  adapter: "979d18b878e5c7f90d20",
  class: "1f85d9ff055a8bba94c0",
  pictures: "cccdf595c23fb0ffaffc",
};

test("ONNX Runtime in float32 keeps the old names", async () => {
  expect(await keys()).toEqual(ofBefore);
  expect(await keys({ engine: "onnxruntime", precision: "float32" })).toEqual(ofBefore);
});

test("a base, a style, a source picture and a concept's own adapter each draw other pictures", async () => {
  const given = parseExperiment({ name: "x", model: "m", guidance: [{ method: "cfg", scale: 2 }], pictures: 1 });
  const picture = join(images, "a.png");
  const key = async (base: string | undefined, prompt: object, adapters: string[] = []) => {
    const prompts = [{ name: "p", about: () => "a cat", ...prompt }];
    const concept = { name: "c", class: "", live: false, images, adapters, prompts };
    const networks = { model: "1", base, encoders: ["2", "3", "dreambooth"] };
    const [cell] = await planOf(completedExperiment(given, usual), [concept], networks, "f");
    return basename(cell!.units[0]!.folder);
  };
  const keys = [
    await key(undefined, {}),
    await key("2", {}),
    await key(undefined, { style: "in ink" }),
    await key(undefined, { image: picture }),
    await key(undefined, {}, [picture]),
  ];
  expect(new Set(keys).size).toBe(keys.length);
});

test("int8 draws other pictures with the same adapters", async () => {
  const { adapter, class: ofClass, pictures } = await keys({ engine: "onnxruntime", precision: "int8" });
  expect({ adapter, class: ofClass }).toEqual({ adapter: ofBefore.adapter, class: ofBefore.class });
  expect(pictures).not.toBe(ofBefore.pictures);
});

test("another engine trains and draws again, in float32 too", async () => {
  const [single, half] = [
    await keys({ engine: "openvino", precision: "float32" }),
    await keys({ engine: "openvino", precision: "bfloat16" }),
  ];
  for (const kind of ["adapter", "class", "pictures"] as const) {
    expect(new Set([single[kind], half[kind], ofBefore[kind]]).size).toBe(3);
  }
});
