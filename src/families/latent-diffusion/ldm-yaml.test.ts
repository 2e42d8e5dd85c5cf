import { expect, test } from "vitest";
import { refusal } from "../../../test/refusal.ts";
import { ldmSettings } from "./ldm-yaml.ts";

const settings = (...params: readonly string[]) =>
  ldmSettings(
    ["model:", "  target: ldm.LatentDiffusion", "  params:", ...params.map((line) => `    ${line}`)].join("\n"),
    "x",
  );

test.each([
  ['parameterization: "v"', "v_prediction"],
  ["parameterization: 'v'  # velocity", "v_prediction"],
  ["parameterization: v", "v_prediction"],
  ["parameterization: eps", "epsilon"],
  ["parameterization: x0", "sample"],
  ["scale_factor: 0.18215", undefined],
])("%s says what is predicted", (line, prediction) => {
  expect(settings(line).prediction).toBe(prediction);
});

test("reads the numbers of the noise schedule, the latents' scale and the heads", () => {
  expect(
    settings(
      "linear_start: 0.0008",
      "linear_end: 1.3e-2",
      "timesteps: 500",
      "scale_factor: 0.2",
      "unet_config:",
      "  target: ldm.UNetModel",
      "  params:",
      "    num_heads: 4",
      "    linear_start: 7",
    ),
  ).toMatchObject({
    scheduler: { beta_start: 0.0008, beta_end: 0.013, num_train_timesteps: 500 },
    vae: { scaling_factor: 0.2 },
    unet: { attention_head_dim: 4 },
  });
});

test("missing keys change nothing", () => {
  expect(settings()).toEqual({ prediction: undefined, scheduler: {}, unet: {}, vae: {}, warnings: [] });
  expect(settings("unet_config:", "  params:", "    num_heads: -1", "    num_head_channels: 64").unet).toEqual({});
});

test("warns if it takes another layer of the text encoder", () => {
  expect(settings("cond_stage_config:", "  params:", "    layer: penultimate").warnings).toEqual([
    expect.stringContaining("--clip-skip"),
  ]);
});

test.each(["parameterization: edm", "timesteps: many", "scale_factor: -1"])("%s is refused", (line) => {
  expect(() => settings(line)).toThrow(refusal("config-unsupported", "x", line.split(":")[0]!));
});
