/** An adapter, whatever file it came from: what it changes, by the names of the base model's own modules. */

/** A matrix or convolution kernel, row-major. */
export interface Factor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** W + scale * up down. */
export interface LowRank {
  /** [rank, in], or [rank, in, kh, kw] for a convolution. */
  readonly down: Factor;
  /** [out, rank], or [out, rank, 1, 1]. */
  readonly up: Factor;
  /** alpha / rank. */
  readonly scale: number;
}

export type AdapterFormat = "peft" | "diffusers" | "diffusers-old" | "kohya" | "custom-diffusion" | "textual-inversion";

export interface Adapter {
  /** The file's name without its extension. */
  readonly name: string;
  /** Absolute path of the file (or main file) it was read from. */
  readonly file: string;
  readonly format: AdapterFormat;
  /** By module path, such as `mid_block.attentions.0.transformer_blocks.0.attn1.to_q`. */
  readonly unet: ReadonlyMap<string, LowRank>;
  /** By module path, such as `text_model.encoder.layers.0.self_attn.q_proj`. */
  readonly textEncoder: ReadonlyMap<string, LowRank>;
  /** Whole U-Net matrices [out, in] in the place of the base model's (Custom Diffusion's keys and values). */
  readonly replaced: ReadonlyMap<string, Factor>;
  /** Learned tokens, such as `<cat>`, with their embeddings in order. */
  readonly tokens: ReadonlyMap<string, readonly Float32Array[]>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** The modules that any of the adapters changes. */
export function sites(adapters: readonly Adapter[]): {
  unet: ReadonlySet<string>;
  textEncoder: ReadonlySet<string>;
} {
  return {
    unet: new Set(adapters.flatMap(({ unet, replaced }) => [...unet.keys(), ...replaced.keys()])),
    textEncoder: new Set(adapters.flatMap(({ textEncoder }) => [...textEncoder.keys()])),
  };
}
