/** Another rate, an end and drawing back for the text side, and what is refused. */
import { describe, expect, test } from "vitest";
import { fixture } from "../../../test/fixtures.ts";
import { refusal } from "../../../test/refusal.ts";
import { openModel } from "../../families/open-model.ts";
import { fillSettings, type TrainingRequest } from "../run/options.ts";
import { textSide } from "./text-side.ts";

const source = await openModel(fixture("pipelines/sd15"));
const lora = "unet:mid_block.attentions.0.transformer_blocks.0.attn1.to_q.up";
const ofText = "text_encoder:text_model.encoder.layers.0.self_attn.q_proj.up";

test("the token and the text encoder have their own rate until the end, the rest keeps its own", async () => {
  const { rateOf } = await textSide(source, { steps: 10, learningRate: 1e-4, textLearningRate: 2e-5, textUntil: 0.3 });
  const rates = (name: string) => [0, 2, 3, 9].map((step) => Number(rateOf!(name, step).toFixed(12)));
  expect(rates(source.text.embeddings[0]!.input)).toEqual([0.2, 0.2, 0, 0]);
  expect(rates(ofText)).toEqual([0.2, 0.2, 0, 0]);
  expect(rates(lora)).toEqual([1, 1, 1, 1]);
});

test("by default every factor is exactly 1, and nothing follows a step", async () => {
  const { rateOf, after } = await textSide(source, { steps: 10, learningRate: 3e-4 });
  expect([lora, ofText].map((name) => rateOf!(name, 9))).toEqual([1, 1]);
  const values = new Map([[source.text.embeddings[0]!.input, Float32Array.of(1, 2, 4)]]);
  after!(values);
  expect([...values.values()][0]).toEqual(Float32Array.of(1, 2, 4));
});

test("drawn back, embeddings that deviate too much shrink, and those that deviate too little grow", async () => {
  const { after } = await textSide(source, { steps: 10, learningRate: 1e-4, retract: true });
  const { input } = source.text.embeddings[0]!;
  const factor = (embeddings: number[]) => {
    const values = new Map([[input, Float32Array.from(embeddings)]]);
    after!(values);
    return values.get(input)![0]! / Math.fround(embeddings[0]!);
  };
  const [wide, narrow] = [factor([100, -100, 50]), factor([1e-6, -1e-6, 5e-7])];
  expect(wide).toBeLessThan(1);
  expect(narrow).toBeGreaterThan(1);
  // 1e8 times the deviation, so 1e8^0.1 times the factor; float32's rounding is 6e-8.
  expect(narrow / wide).toBeCloseTo(1e8 ** 0.1, 4);
});

describe("a request", () => {
  const filled = (method: Parameters<typeof fillSettings>[0], more: Partial<TrainingRequest>) =>
    fillSettings(method, { model: "", images: "", token: "sks", class: "cat", out: "a.safetensors", ...more });

  test("for what the method does not train is refused", () => {
    expect(() => filled("dreambooth", { textLearningRate: 1e-5 })).toThrow(
      refusal("setting-invalid", "textLearningRate", "dreambooth"),
    );
    expect(() => filled("dreambooth", { textUntil: 0.5 })).toThrow(refusal("setting-invalid", "textUntil"));
    expect(() => filled("dreambooth", { textEncoder: true, retract: true })).toThrow(
      refusal("setting-invalid", "retract"),
    );
    expect(() => filled("dreambooth-ti", { textUntil: 0 })).toThrow(refusal("setting-invalid", "textUntil"));
  });

  test("that leaves them out has the settings of before, so that experiments keep their adapters", () => {
    const keys = Object.keys(JSON.parse(JSON.stringify(filled("dreambooth-ti", {}))));
    expect(keys).not.toEqual(expect.arrayContaining(["retract"]));
    expect(filled("dreambooth", { textEncoder: true, textUntil: 0.5 }).textUntil).toBe(0.5);
  });
});
