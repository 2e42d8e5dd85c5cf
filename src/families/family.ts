/**
 * A family of models: the pipeline classes it runs, and their parts.
 *
 * A family is data and small functions that record graphs. Everything specific to it lives in its folder: class names,
 * prompt rules, latents, defaults, the names its adapters use. No code outside asks which family a model belongs to.
 */
import type { Safetensors } from "../bytes/safetensors.ts";
import type { Outputs } from "../graph/index.ts";
import type { RowText } from "../guidance/guidance.ts";
import type { GuidanceName } from "../guidance/index.ts";
import type { ByComponent } from "../models/components.ts";
import type { Module } from "../models/module.ts";
import type { AttentionForm } from "../models/unet.ts";
import type { SamplerName } from "../samplers/index.ts";
import type { Schedule } from "../schedules/level.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";

/** A network's config.json, unparsed (the model that reads it owns its schema), and its weights, which stay in their files. */
export interface Component {
  readonly config: Readonly<Record<string, unknown>>;
  readonly weights: Checkpoint;
}

/** By sub-folder name: `unet`, `vae`, `text_encoder`, `text_encoder_2`, `transformer`. */
export type Components = ReadonlyMap<string, Component>;

/** A model's parts, found and opened; its family makes a {@link Model} of them. */
export interface ModelFiles {
  /** The folder's or file's name, or the hub id. */
  readonly name: string;
  readonly kind: "folder" | "single-file" | "hub";
  readonly components: Components;
  /** model_index.json; empty for single files. */
  readonly index?: Readonly<Record<string, unknown>> | undefined;
  /** scheduler_config.json. */
  readonly scheduler: Readonly<Record<string, unknown>>;
  /** Holds `tokenizer.json`, or `vocab.json` and `merges.txt`. */
  readonly tokenizerFolder: string;
  /** The tokenizer of a second text encoder, if the family has one: see {@link Family.tokenizers}. */
  readonly secondTokenizerFolder?: string | undefined;
  /** Maximum number of prompt tokens by the tokenizer's config; absent if it leaves that to the text encoder. */
  readonly promptTokens?: number | undefined;
  /** Ambiguities in the files, one sentence each. */
  readonly warnings?: readonly string[] | undefined;
  /** The folder's own defaults, from its tiller.json; they override the family's. */
  readonly defaults?: Partial<ModelDefaults> | undefined;
}

/** An open model. A weight is read only when a graph that uses it is compiled. */
export interface Model extends Omit<ModelFiles, "defaults"> {
  /** The family's display name. */
  readonly family: string;
  readonly text: TextSide;
  readonly denoiser: DenoiserSide;
  readonly latents: LatentCodec;
  readonly schedule: Schedule;
  readonly defaults: FamilyDefaults;
  readonly training: TrainingDefaults;
  /** Components that a strength blends between two checkpoints. */
  readonly steered: readonly string[];
  /** See {@link Part.widened}, by component. */
  readonly widened?: Readonly<Record<string, string>>;
  readonly adapters: AdapterNames;
}

/** Defaults for what a request leaves out. */
export interface ModelDefaults {
  /** The sampler. */
  readonly sampler: SamplerName;
  /** Number of sampling steps. */
  readonly steps: number;
  /** Guidance scale. */
  readonly scale: number;
  /** The negative prompt; absent if the null row's text is all zeros without one. */
  readonly negative?: string | undefined;
  /** Pixels. */
  readonly width: number;
  /** Pixels. */
  readonly height: number;
  /** Picture width and height must be multiples of this, in pixels. */
  readonly sideMultiple: number;
  /** The guidance method. */
  readonly guidance: GuidanceName;
  /** Omega, for methods that have it. */
  readonly omega: number;
  /** How much of a given picture is given up; by default 0.8, and 1 with a mask. */
  readonly strength?: number;
}

/** A model's defaults, with and without an adapter. */
export interface FamilyDefaults extends ModelDefaults {
  /** The guidance method with an adapter or a base model; without either it is `guidance`. */
  readonly personalised: GuidanceName;
  /** Omega by the adapter's training method, where it differs from `omega`. */
  readonly omegas: Readonly<Record<string, number>>;
}

/** Training settings that neither the request nor the method sets. */
export interface TrainingDefaults {
  /** AdamW's weight decay. */
  readonly weightDecay: number;
}

/** A component's weights, for recording a graph. */
export type Modules = (component: string) => Module;

/** Learned tokens and their numbers of embeddings, by the component whose table they extend. */
export type LearnedTokens = ByComponent<ReadonlyMap<string, number>>;

/** A tokenized prompt, as the text networks take it. */
export interface Tokens {
  /** Numbers by input of the text graph, the same length for every prompt unless the family has {@link TextSide.feeds}. */
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  /** Positions of the states that the denoiser uses; all by default. */
  readonly states?: readonly number[];
  /** The words that did not fit, "" if all did. */
  readonly dropped: string;
}

export interface TextSide {
  /** Maximum number of tokens in a prompt, for messages. */
  readonly positions: number;
  /** Default text before prompts (not before the null prompt); undefined if the family has none. */
  readonly instruction?: string;
  /**
   * The ids of learned tokens' embeddings continue the vocabulary's; for an encoder that has none for a token, it is text.
   *
   * @param instruction Text before the prompt, if the family has {@link instruction}; none by default.
   */
  tokenize(tokenizer: Tokenizer, prompt: string, learned: LearnedTokens, instruction?: string): Tokens;
  /**
   * The text graph's inputs, if they must be looked up from the tokens first. Such families encode one prompt at a time, each at
   * its own length, and {@link DenoiserSide.prepare} takes `mask` [rows, tokens] beside `text`: 1 for tokens, 0 for padding.
   */
  readonly feeds?: (tokens: Tokens) => Promise<Readonly<Record<string, LookedUp>>>;
  /** The null row's tokens without a negative prompt, if its states are then zeros; absent if `""` is encoded instead. */
  readonly none?: Tokens | undefined;
  /** Whether a learned token is among the prompt's tokens. */
  hasLearned(tokens: Tokens): boolean;
  /** Index of the token whose state stands for the whole prompt. */
  end(tokenizer: Tokenizer, tokens: Tokens): number;
  /**
   * Records the text networks. Inputs: the tokens', and each of {@link embeddings}'. Outputs: `text` [rows, tokens, width],
   * and whatever else {@link DenoiserSide.prepare} takes.
   *
   * @throws TillerError if `clipSkip` leaves no layer.
   */
  graph(modules: Modules, options?: { readonly clipSkip?: number }): Outputs;
  /** The tables that learned tokens extend. */
  readonly embeddings: readonly EmbeddingTable[];
}

/** Numbers for an input of a graph. */
export interface LookedUp {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export interface EmbeddingTable {
  readonly component: string;
  /** Key of the table in the component's weights, [vocabulary, width]. */
  readonly key: string;
  /** The text graph's input for learned embeddings [n, width]. */
  readonly input: string;
  /** This encoder's key in embedding files for several encoders: `clip_l`. */
  readonly fileKey: string;
}

/** A picture's size in pixels. */
export interface PictureSize {
  readonly width: number;
  readonly height: number;
}

/** A crop's place in its picture, in pixels. */
export interface CropPlace {
  readonly left: number;
  readonly top: number;
}

/** What a request says about the picture's size and crop: its own size, and what the denoiser is told. */
export interface SizeConditions extends PictureSize {
  readonly originalSize?: PictureSize | undefined;
  readonly crop?: CropPlace | undefined;
  readonly targetSize?: PictureSize | undefined;
  readonly negativeOriginalSize?: PictureSize | undefined;
  readonly negativeCrop?: CropPlace | undefined;
  readonly negativeTargetSize?: PictureSize | undefined;
}

export interface DenoiserSide {
  /** Channels of the latents. */
  readonly channels: number;
  /**
   * What the network is given of a picture, as channels after the latents'; absent for models that take none.
   * `masked picture`: the mask, 1 where it is repainted, then the latents of the picture with grey in place of that part.
   * `picture`: the {@link LatentCodec.mean} of the picture to edit.
   */
  readonly sees?: "masked picture" | "picture";
  /**
   * What {@link prepare} takes beside the text: inputs [rows, n], and the numbers for a row that sees `text`. Absent in families
   * that are not conditioned on sizes.
   */
  readonly conditions?: (sizes: SizeConditions, text: RowText) => Readonly<Record<string, readonly number[]>>;
  /** Runs once per prompt: from the text graph's outputs to {@link predict}'s inputs of the same names. */
  prepare(modules: Modules): Outputs;
  /** Each step. Inputs: `latents` with the channels that it {@link sees}, `timestep` [batch], and {@link prepare}'s outputs. Output: `prediction`. */
  predict(modules: Modules, attention?: AttentionForm): Outputs;
  /**
   * Layers of {@link predict} that stay float32 when a target multiplies in int8, by component; a component that is not
   * named stays float32 altogether.
   */
  readonly float32: Readonly<Record<string, RegExp>>;
  /**
   * The blocks of components that omega may name: those that a module or tensor belongs to, the most specific first; absent if it has
   * none.
   */
  readonly blocks?: Readonly<Record<string, (path: string) => readonly string[]>>;
  /** How many pictures to compute in one batch, at `rows` rows a picture and latents of this size. */
  picturesAtOnce(rows: number, height: number, width: number): number;
}

export interface LatentCodec {
  readonly component: string;
  readonly channels: number;
  /** Pixels per latent, along one side. */
  readonly pixelsPerLatent: number;
  /** The tiles of a tiled decode or encode, in latents: side, and distance between the beginnings of two. */
  readonly tiles: { readonly size: number; readonly stride: number };
  /** Input: `picture` [batch, 3, h, w], -1 to 1. Output: `encoded`, for {@link sample}. */
  encode(modules: Modules): Outputs;
  /** Whether {@link sample} uses its noise. */
  readonly random: boolean;
  /** Scaled latents, as the denoiser takes them, from `encoded` of one picture and standard normal noise of the latents' size. */
  sample(encoded: Float32Array, noise: Float32Array): Float32Array;
  /** The mean of `encoded`, unscaled. */
  mean(encoded: Float32Array): Float32Array;
  /** The latents scaled back for the decoder. */
  unscaled(latents: Float32Array): Float32Array;
  /** Whether its networks overflow float16, and so are computed in float32 where others are in float16. */
  readonly wide?: boolean;
  /** Input: `latents` [batch, channels, h, w], unscaled. Output: `picture`. */
  decode(modules: Modules): Outputs;
}

/** How the family's adapters name what they change. */
export interface AdapterNames {
  /** Modules that always have an adapter branch, by component, so that common adapters need no rebuild. */
  readonly usual: Readonly<Record<string, RegExp>>;
  /** Modules without effect on the family's pictures, by component, which adapters may nevertheless change. */
  readonly idle?: Readonly<Record<string, RegExp>>;
  /** Modules that a LoRA trains, by component. */
  readonly trained: Readonly<Record<string, RegExp>>;
  /** Keys of the cross-attention key and value projections, which Custom Diffusion trains, by component. */
  readonly keysValues: Readonly<Record<string, readonly string[]>>;
  /** Key prefixes in adapter files and the components they stand for; the first match counts. */
  readonly prefixes: readonly KeyPrefix[];
  /** Maps the other names in use for a component's modules to the modules. */
  flatNames(component: string, modules: Iterable<string>): ReadonlyMap<string, string>;
}

export interface KeyPrefix {
  readonly pattern: RegExp;
  /** Absent if it may be any component. */
  readonly component?: string;
  /** Whether the rest of the key is a module path with "_" for ".". */
  readonly flat?: boolean;
}

/** A part of a model's folder that has weights. */
export interface Part {
  /** Supported classes, as named in model_index.json. */
  readonly classes: readonly string[];
  /**
   * Key of the kernel that takes the latents: a fine-tune that is given more than its base, a picture beside the latents, has further
   * input channels there. What the base lacks counts as 0.
   */
  readonly widened?: string;
  /** Renames older files' keys to the current ones. */
  readonly keys?: (checkpoint: Checkpoint) => Checkpoint;
  /** @throws TillerError if the config is for another task. */
  readonly check?: (component: Component, where: string) => void;
}

export interface Family {
  /** Display name: "Stable Diffusion". */
  readonly name: string;
  /** What it runs, for the message that refuses another model: "StableDiffusionPipeline (SD 1.x and 2.x)". */
  readonly runs: string;
  /** Pipeline classes, by `_class_name` of model_index.json. */
  readonly classes: readonly string[];
  readonly parts: Readonly<Record<string, Part>>;
  /** The tokenizers' folders, if there are two: the text encoders' in order; only `tokenizer` by default. */
  readonly tokenizers?: readonly ["tokenizer", string];
  /** How the family's single files are split into parts; absent if it has none. */
  readonly singleFile?: SingleFile;
  /** @throws TillerError if model_index.json is that of another kind of model of the same class. */
  readonly check?: (index: Readonly<Record<string, unknown>>, folder: string) => void;
  model(files: ModelFiles): Model;
}

export interface SingleFile {
  /** Whether the file is of this family, or of a kind that the family's {@link split} refuses by name. */
  recognises(tensors: Checkpoint): boolean;
  /**
   * @param yaml The text of the .yaml of the same name beside the file, if there is one.
   * @throws TillerError naming what the file is instead.
   */
  split(file: Safetensors, name: string, yaml?: string): Promise<SplitFile>;
}

/** A part of a single file. */
export interface SplitComponent extends Component {
  /** The config values that the weights' shapes prove; a given config must agree with them. */
  readonly derived: Readonly<Record<string, unknown>>;
}

export interface SplitFile {
  readonly components: ReadonlyMap<string, SplitComponent>;
  readonly scheduler: Readonly<Record<string, unknown>>;
  /** Whether the file says what the network predicts; if not, the scheduler has the usual type of such files. */
  readonly predictionTold: boolean;
  /** Ambiguities in the file, one sentence each. */
  readonly warnings: readonly string[];
  /** Hub repositories that hold the model's tokenizer; it is fetched from the first. */
  readonly tokenizers: readonly string[];
}
