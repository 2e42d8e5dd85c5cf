/** Configs of SANA's networks: published ones, and refused ones. */
import { expect, test } from "vitest";
import { refusal } from "../../test/refusal.ts";
import { dcConfig, dcPixelsPerLatent } from "./autoencoder-dc.ts";
import { gemma2Config, gemma2Table } from "./gemma2.ts";
import { sanaConfig, sanaCrossAttentions, sanaFloat32, sanaLinears } from "./sana.ts";

test("a transformer's config may lack keys that older files do not have", () => {
  const config = sanaConfig({ num_layers: 2, sample_size: 16 });
  expect(config).toMatchObject({ out_channels: 32, timestep_scale: 1, attention_bias: false, patch_size: 1 });
  expect(config.qk_norm ?? null).toBeNull();
  expect(config.interpolation_scale ?? null).toBeNull();
  expect(sanaCrossAttentions(config)).toEqual(["transformer_blocks.0.attn2", "transformer_blocks.1.attn2"]);
  expect(sanaConfig({ in_channels: 16, out_channels: null }).out_channels).toBe(16);
});

test.each<[string, Readonly<Record<string, unknown>>]>([
  ["cross_attention_dim", { cross_attention_dim: null }],
  ["cross_attention_dim", { cross_attention_dim: 1152 }],
  ["qk_norm", { qk_norm: "layer_norm" }],
  ["guidance_embeds", { guidance_embeds: true }],
])("a transformer's config is refused for its %s: %o", (key, config) => {
  expect(() => sanaConfig(config)).toThrow(refusal("config-unsupported", "transformer", key));
});

test("layers at the latents, of the timestep and of raw tokens stay float32 under int8", () => {
  const stay = ["patch_embed.proj", "proj_out", "time_embed.linear", "transformer_blocks.3.attn2.to_q"];
  const block = ["attn1.to_q", "attn1.to_out.0", "attn2.to_out.0", "ff.conv_inverted", "ff.conv_point"];
  for (const path of stay) expect(sanaFloat32.test(path), path).toBe(true);
  for (const name of block) expect(sanaFloat32.test(`transformer_blocks.3.${name}`), name).toBe(false);
});

test("adapters change every linear layer of both attentions, and no other", () => {
  for (const name of ["attn1.to_q", "attn1.to_v", "attn2.to_k", "attn2.to_out.0"]) {
    expect(sanaLinears.test(`transformer_blocks.3.${name}`), name).toBe(true);
  }
  for (const name of ["attn1.norm_q", "ff.conv_point"]) {
    expect(sanaLinears.test(`transformer_blocks.3.${name}`), name).toBe(false);
  }
});

test("an autoencoder's default config has 32 pixels per latent", () => {
  const config = dcConfig({ scaling_factor: 0.41407 });
  expect(dcPixelsPerLatent(config)).toBe(32);
  expect(config.latent_channels).toBe(32);
  expect(dcConfig({ decoder_block_types: "EfficientViTBlock" }).decoder_block_types).toBe("EfficientViTBlock");
});

test.each<[string, Readonly<Record<string, unknown>>]>([
  ["decoder_norm_types", { decoder_norm_types: ["batch_norm", "batch_norm", "rms_norm"] }],
  ["decoder_norm_types", { decoder_norm_types: "batch_norm" }],
  ["encoder_layers_per_block", { encoder_layers_per_block: [0, 2, 2, 3, 3, 3] }],
  ["decoder_layers_per_block", { decoder_layers_per_block: [2, 2] }],
  ["decoder_act_fns", { decoder_act_fns: ["silu", "silu"] }],
  ["encoder_block_types", { encoder_block_types: ["AttentionBlock"] }],
])("an autoencoder's config is refused for its %s: %o", (key, config) => {
  expect(() => dcConfig(config)).toThrow(refusal("config-unsupported", "autoencoder", key));
});

test.each<[string, Readonly<Record<string, unknown>>]>([
  ["hidden_activation", { hidden_activation: "gelu" }],
  ["num_key_value_heads", { num_attention_heads: 8, num_key_value_heads: 3 }],
  ["rope_parameters", { rope_parameters: { rope_type: "linear", rope_theta: 10000 } }],
  ["rope_scaling", { rope_scaling: { type: "linear", factor: 2 } }],
  ["use_bidirectional_attention", { use_bidirectional_attention: true }],
])("a Gemma's config is refused for its %s: %o", (key, config) => {
  expect(() => gemma2Config(config)).toThrow(refusal("config-unsupported", "text encoder", key));
});

test("the embedding table of a Gemma saved as a language model has a prefix", () => {
  expect(gemma2Table(new Set(["embed_tokens.weight"]))).toBe("embed_tokens.weight");
  expect(gemma2Table(new Set(["model.embed_tokens.weight"]))).toBe("model.embed_tokens.weight");
});
