/** Pictures with every supported kind of adapter against PyTorch's (`parity/kind_pictures.py`), with the tiny SD 1.5. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Pipeline } from "../src/index.ts";
import { fixture, reference } from "./fixtures.ts";

const pictures = await reference("../kinds/pictures.safetensors");
const request = {
  prompt: "a red <cat> cat wearing a santa hat",
  scale: 3,
  sampler: "ddim",
  steps: 4,
  seed: 7,
  width: 32,
  height: 32,
} as const;

let pipeline: Pipeline;
beforeAll(async () => {
  pipeline = await Pipeline.load(fixture("pipelines/sd15"), { device: "cpu" });
});
afterAll(() => pipeline.close());

const adapters = (name: string) => fixture(`adapters/${name}`);
const kinds = (name: string) => fixture(`kinds/${name}`);

describe.each([
  ...["locon", "dora", "dora-by-input", "loha", "loha-wide", "lokr", "lokr-whole", "lokr-tucker", "lokr-dora"],
  ...["glora", "ia3", "full", "norms", "lycoris-network", "one-trainer"],
  ...["peft-dora", "peft-bias", "peft-loha", "peft-lokr", "peft-ia3", "peft-rslora", "peft-modules", "peft-biases"],
  ...["lora-peft", "lora-diffusers", "lora-diffusers-old", "lora-kohya", "custom-diffusion", "ti"],
])("%s", (name) => {
  const files = [
    /^(lora|ti)/.test(name)
      ? adapters(`${name}.safetensors`)
      : name === "custom-diffusion"
        ? adapters(name)
        : kinds(name.startsWith("peft") ? name : `${name}.safetensors`),
    // Every picture has the token in its prompt.
    ...(/^(ti|one-trainer)$/.test(name) ? [] : [adapters("ti.safetensors")]),
  ];

  test.each([
    ["at strength 1", "1", 1, { guidance: "cfg" }],
    ["at strength 0.6", "0.6", 0.6, { guidance: "cfg" }],
    ["as the weak row of pg", "weak", 1, { guidance: "pg", omega: 0.6 }],
  ] as const)("%s every pixel is within 1 of PyTorch's", async (_, key, strength, guidance) => {
    await pipeline.setAdapters(files.map((file) => ({ file, strength })));
    const expected = (await pictures(`${name} ${key}`)).data;
    for await (const event of pipeline.generate({ ...request, ...guidance })) {
      if (event.type !== "picture") continue;
      expect(event.data.length).toBe(expected.length);
      const most = event.data.reduce((far, value, i) => Math.max(far, Math.abs(value - expected[i]!)), 0);
      expect(most).toBeLessThanOrEqual(1);
    }
    expect.assertions(2);
  });
});
