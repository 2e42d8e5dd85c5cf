/** SANA's deep compression autoencoder (Diffusers' AutoencoderDC): 32x32 pixels per latent. */
import { z } from "zod";
import {
  add,
  averageChannels,
  concat,
  conv,
  type Dim,
  input,
  multiply,
  multiplyDims,
  type Outputs,
  pixelShuffle,
  pixelUnshuffle,
  relu,
  repeatChannels,
  reshape,
  rmsNorm,
  silu,
  slice,
  symbol,
  upsample,
  type Value,
} from "../graph/index.ts";
import { linearAttention } from "./attention.ts";
import { only, parseConfig } from "./config.ts";
import { glumbConv } from "./glumb-conv.ts";
import { convAt, type Module } from "./module.ts";

const count = z.number().int().positive();
const scales = z.array(z.array(z.number().int().positive()));
const sixScales = [[], [], [], [5], [5], [5]];
const widths = [128, 256, 512, 512, 1024, 1024];

const blockType = z.enum(["ResBlock", "EfficientViTBlock"]);
/** One value for all stages, or one for each. */
const perStage = <T extends z.ZodType>(value: T) => z.union([value, z.array(value)]);

const schema = z
  .object({
    in_channels: only(3),
    latent_channels: count.default(32),
    attention_head_dim: count.default(32),
    encoder_block_types: perStage(blockType).default("ResBlock"),
    decoder_block_types: perStage(blockType).default("ResBlock"),
    encoder_block_out_channels: z.array(count).default(widths),
    decoder_block_out_channels: z.array(count).default(widths),
    encoder_layers_per_block: z.array(count).default([2, 2, 2, 3, 3, 3]),
    decoder_layers_per_block: z.array(count).default([3, 3, 3, 3, 3, 3]),
    encoder_qkv_multiscales: scales.default(sixScales),
    decoder_qkv_multiscales: scales.default(sixScales),
    /** The reference treats any other value as a strided convolution; for upsampling, only "interpolate" is different. */
    downsample_block_type: z.string().default("pixel_unshuffle"),
    upsample_block_type: z.string().default("pixel_shuffle"),
    decoder_norm_types: perStage(z.literal("rms_norm")).default("rms_norm"),
    decoder_act_fns: perStage(z.enum(["silu", "relu"])).default("silu"),
    encoder_out_shortcut: z.boolean().default(true),
    decoder_in_shortcut: z.boolean().default(true),
    decoder_conv_act_fn: z.enum(["relu", "silu"]).default("relu"),
    /** Latents are the encoder's output times this. */
    scaling_factor: z.number().positive().default(1),
  })
  .superRefine((config, context) => {
    const lists = ["block_types", "layers_per_block", "qkv_multiscales"].flatMap((name) => [
      `encoder_${name}`,
      `decoder_${name}`,
    ]);
    for (const key of [...lists, "decoder_block_out_channels", "decoder_norm_types", "decoder_act_fns"]) {
      const list: unknown = config[key as keyof typeof config];
      if (!Array.isArray(list) || list.length === stagesOf(config)) continue;
      context.addIssue({
        code: "custom",
        path: [key],
        message: `it must have ${stagesOf(config)} entries, one for each stage`,
      });
    }
  });

export type DcConfig = z.output<typeof schema>;

export const dcConfig = (config: Readonly<Record<string, unknown>>): DcConfig =>
  parseConfig("autoencoder", schema, config);

/** Pixels per latent along a side: 32 for SANA. */
export const dcPixelsPerLatent = (config: DcConfig): number => 2 ** (stagesOf(config) - 1);

function stagesOf(config: { readonly encoder_block_out_channels: readonly number[] }): number {
  return config.encoder_block_out_channels.length;
}

const padding = [1, 1, 1, 1] as const;

/**
 * Records the encoder.
 *
 * Input, unless it is given: `picture` [batch, 3, 32 h, 32 w], -1 to 1. Output: `latents` [batch, latent_channels, h, w], not yet
 * scaled; the encoder is deterministic.
 */
export function dcEncode(vae: Module, config: DcConfig, picture: Value = pictureInput(config)): Outputs {
  const { encoder_block_out_channels: channels, encoder_layers_per_block: layers } = config;
  const encoder = vae.at("encoder");
  let x = convAt(encoder.at("conv_in"), picture, { padding });
  for (const stage of channels.keys()) {
    const blocks = encoder.at("down_blocks").at(stage);
    const options = { type: atStage(config.encoder_block_types, stage), size: config.attention_head_dim, act: silu };
    for (let layer = 0; layer < layers[stage]!; layer++) x = blockAt(blocks.at(layer), x, options);
    if (stage < channels.length - 1) x = downAt(blocks.at(layers[stage]!), x, config);
  }
  const y = convAt(encoder.at("conv_out"), x, { padding });
  if (!config.encoder_out_shortcut) return { latents: y };
  return { latents: add(y, averageChannels(x, channels.at(-1)! / config.latent_channels)) };
}

/**
 * Records the decoder.
 *
 * Input, unless it is given: `latents` [batch, latent_channels, h, w], already divided by the scaling factor. Output: `picture`
 * [batch, 3, 32 h, 32 w], about -1 to 1.
 */
export function dcDecode(
  vae: Module,
  config: DcConfig,
  latents: Value = input("latents", [symbol("batch"), config.latent_channels, symbol("height"), symbol("width")]),
): Outputs {
  const { decoder_block_out_channels: channels, decoder_layers_per_block: layers } = config;
  const decoder = vae.at("decoder");
  let x = convAt(decoder.at("conv_in"), latents, { padding });
  if (config.decoder_in_shortcut) x = add(x, repeatChannels(latents, channels.at(-1)! / config.latent_channels));
  const last = channels.length - 1;
  for (const stage of [...channels.keys()].reverse()) {
    const blocks = decoder.at("up_blocks").at(stage);
    if (stage < last) x = upAt(blocks.at(0), x, channels[stage]!, config);
    const act = activations[atStage(config.decoder_act_fns, stage)];
    const options = { type: atStage(config.decoder_block_types, stage), size: config.attention_head_dim, act };
    const first = stage < last ? 1 : 0;
    for (let layer = 0; layer < layers[stage]!; layer++) x = blockAt(blocks.at(first + layer), x, options);
  }
  const normal = activations[config.decoder_conv_act_fn](normAt(decoder.at("norm_out"), x));
  return { picture: convAt(decoder.at("conv_out"), normal, { padding }) };
}

/** A picture whose sides the encoder can halve at every stage. */
function pictureInput(config: DcConfig): Value {
  const side = (name: string) => multiplyDims(symbol(name), dcPixelsPerLatent(config));
  return input("picture", [symbol("batch"), 3, side("height"), side("width")]);
}

const activations = { silu, relu } as const;

const atStage = <T extends string>(value: T | readonly T[], stage: number): T =>
  typeof value === "string" ? value : value[stage]!;

interface BlockOptions {
  readonly type: "ResBlock" | "EfficientViTBlock";
  /** Channels per attention head. */
  readonly size: number;
  readonly act: (x: Value) => Value;
}

/** One residual layer of a stage, of convolutions or of attention and an MLP: x [batch, channels, h, w]. */
function blockAt(module: Module, x: Value, { type, size, act }: BlockOptions): Value {
  if (type === "ResBlock") {
    const h = convAt(module.at("conv2"), act(convAt(module.at("conv1"), x, { padding })), { padding });
    return add(normAt(module.at("norm"), h), x);
  }
  const attended = add(attentionAt(module.at("attn"), x, size), x);
  const perceptron = module.at("conv_out");
  return add(normAt(perceptron.at("norm"), glumbConv(perceptron, attended)), attended);
}

/** RMS normalisation over each pixel's channels, then scale and shift. */
function normAt(module: Module, x: Value): Value {
  const perChannel = (name: string) => module.value(name, { shape: [...module.shape(name), 1, 1] });
  return add(multiply(rmsNorm(x, 1, 1e-5), perChannel("weight")), perChannel("bias"));
}

/** Multi-scale linear self-attention: also over queries, keys and values aggregated by depthwise convolutions. */
function attentionAt(module: Module, x: Value, size: number): Value {
  const [batch, channels, height, width] = x.shape as [Dim, number, Dim, Dim];
  const qkv = concat(
    ["to_q", "to_k", "to_v"].map((name) => pointwiseAt(module.at(name), x)),
    1,
  );
  const maps = [qkv];
  for (let i = 0; module.has(`to_qkv_multiscale.${i}.proj_in.weight`); i++) {
    const scale = module.at("to_qkv_multiscale").at(i);
    const around = Math.floor(scale.shape("proj_in.weight")[2]! / 2);
    const wide = convAt(scale.at("proj_in"), qkv, { padding: [around, around, around, around], groups: 3 * channels });
    maps.push(convAt(scale.at("proj_out"), wide, { groups: (3 * channels) / size }));
  }
  // As in the reference, heads are runs of 3 * size channels, even though these mix the projections to q, k and v.
  const heads = (channels / size) * maps.length;
  const runs = reshape(concat(maps, 1), [batch, heads, 3 * size, multiplyDims(height, width)]);
  const [q, k, v] = [0, 1, 2].map((i) => slice(runs, 2, i * size, (i + 1) * size)) as [Value, Value, Value];
  const mixed = reshape(linearAttention(q, k, v), [batch, heads * size, height, width]);
  return normAt(module.at("norm_out"), pointwiseAt(module.at("to_out"), mixed));
}

/** x [batch, in, h, w] through the linear layer at `module`, pixel by pixel. */
const pointwiseAt = (module: Module, x: Value): Value =>
  conv(x, module.value("weight", { shape: [...module.shape("weight"), 1, 1] }));

/** Halves the sides: a convolution, plus a shortcut that moves 2x2 pixels to channels and averages groups of them. */
function downAt(module: Module, x: Value, { downsample_block_type: type }: DcConfig): Value {
  const y =
    type === "pixel_unshuffle"
      ? pixelUnshuffle(convAt(module.at("conv"), x, { padding }))
      : convAt(module.at("conv"), x, { stride: 2, padding });
  return add(y, averageChannels(pixelUnshuffle(x), (4 * (x.shape[1] as number)) / (y.shape[1] as number)));
}

/** Doubles the sides: a convolution, plus a shortcut that repeats channels and moves them to 2x2 pixels. */
function upAt(module: Module, x: Value, channels: number, { upsample_block_type: type }: DcConfig): Value {
  const [, from, height, width] = x.shape as [Dim, number, Dim, Dim];
  const y =
    type === "interpolate"
      ? convAt(module.at("conv"), upsample(x, multiplyDims(height, 2), multiplyDims(width, 2)), { padding })
      : pixelShuffle(convAt(module.at("conv"), x, { padding }));
  return add(y, pixelShuffle(repeatChannels(x, (4 * channels) / from)));
}
