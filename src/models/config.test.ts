/** Unsupported settings in a config.json. */
import { expect, test } from "vitest";
import { z } from "zod";
import { refusal } from "../../test/refusal.ts";
import { autoencoderConfig } from "./autoencoder-kl.ts";
import { only, parseConfig } from "./config.ts";
import { unetConfig } from "./unet.ts";

const form = z.object({ act_fn: only("silu"), blocks: z.array(z.object({ channels: z.number() })) });

test("the key and its value are named, however deeply nested", () => {
  expect(() => parseConfig("U-Net", form, { act_fn: "gelu", blocks: [] })).toThrow(
    refusal("config-unsupported", "U-Net", "act_fn", "gelu"),
  );
  expect(() => parseConfig("U-Net", form, { blocks: [{ channels: 4 }, { channels: "many" }] })).toThrow(
    refusal("config-unsupported", "blocks.1.channels", "many"),
  );
});

test("unknown and absent keys are ignored", () => {
  expect(parseConfig("U-Net", form, { blocks: [], sample_size: 64 })).toEqual({ blocks: [] });
});

// As Diffusers 0.42 does with sd15's networks, with each key null in turn.
test("null means what it means to Diffusers, not the default", () => {
  const unet = { cross_attention_dim: 32 };
  expect(unetConfig(unet).flip_sin_to_cos).toBe(true);
  expect(unetConfig({ ...unet, flip_sin_to_cos: null }).flip_sin_to_cos).toBe(false);
  for (const key of ["attention_type", "resnet_out_scale_factor", "resnet_skip_time_act", "dual_cross_attention"])
    expect(() => unetConfig({ ...unet, [key]: null })).not.toThrow();
  for (const key of ["norm_eps", "freq_shift", "act_fn", "layers_per_block"])
    expect(() => unetConfig({ ...unet, [key]: null })).toThrow(refusal("config-unsupported", key));
  // The decoder would then have no attention in the middle, but Tiller's always has.
  const vae = {
    block_out_channels: [8],
    down_block_types: ["DownEncoderBlock2D"],
    up_block_types: ["UpDecoderBlock2D"],
  };
  expect(() => autoencoderConfig({ ...vae, mid_block_add_attention: null })).toThrow(refusal("config-unsupported"));
});

test("an absurdly large number is refused before it keeps the machine busy", () => {
  for (const key of ["layers_per_block", "transformer_layers_per_block", "attention_head_dim", "norm_num_groups"])
    expect(() => unetConfig({ cross_attention_dim: 32, [key]: 1e9 })).toThrow(refusal("config-unsupported", key));
  // There are half as many timestep sinusoids as channels in the first block.
  expect(() => unetConfig({ cross_attention_dim: 32, block_out_channels: [1e9] })).toThrow(
    refusal("config-unsupported"),
  );
});
