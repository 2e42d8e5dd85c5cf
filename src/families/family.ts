/**
 * What a family of models is: a folder's pipeline class, and what that class is made of.
 *
 * A family is data and small functions that record graphs. Everything that is its own stands in its folder: class names,
 * prompt rules, latents, defaults, the names its adapters use. Nobody outside asks which family a model is of.
 */
import type { Safetensors } from "../bytes/safetensors.ts";
import type { Outputs } from "../graph/index.ts";
import type { GuidanceName } from "../guidance/index.ts";
import type { Module } from "../models/module.ts";
import type { SamplerName } from "../samplers/index.ts";
import type { Schedule } from "../schedules/level.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";

/** A network's config.json, unparsed (the model that reads it owns its schema), and its weights, which stay in their files. */
export interface Component {
  readonly config: Readonly<Record<string, unknown>>;
  readonly weights: Checkpoint;
}

/** By the names of a folder's own sub-folders: `unet`, `vae`, `text_encoder`, `text_encoder_2`, `transformer`. */
export type Components = ReadonlyMap<string, Component>;

/** A model's parts, found and opened, before its family makes a model of them. */
export interface ModelFiles {
  /** The folder's or file's name, or the hub id. */
  readonly name: string;
  readonly kind: "folder" | "single-file" | "hub";
  readonly components: Components;
  /** scheduler_config.json. */
  readonly scheduler: Readonly<Record<string, unknown>>;
  /** Holds `tokenizer.json`, or `vocab.json` and `merges.txt`. */
  readonly tokenizerFolder: string;
  /** Tokens that the tokenizer's config lets a prompt have; absent where it leaves that to the text encoder. */
  readonly promptTokens?: number | undefined;
  /** What of the files could be meant otherwise, a sentence each. */
  readonly warnings?: readonly string[] | undefined;
  /** Defaults of the folder's own, from its tiller.json: they go before the family's. */
  readonly defaults?: Partial<ModelDefaults> | undefined;
}

/** A model, opened: no weight is read before a graph that has it is compiled. */
export interface Model extends Omit<ModelFiles, "defaults"> {
  /** The family's name, for people. */
  readonly family: string;
  readonly text: TextSide;
  readonly denoiser: DenoiserSide;
  readonly latents: LatentCodec;
  readonly schedule: Schedule;
  readonly defaults: FamilyDefaults;
  readonly training: TrainingDefaults;
  /** Components that a strength between two whole checkpoints blends: those that predict. */
  readonly steered: readonly string[];
  readonly adapters: AdapterNames;
}

/** What a picture is made with where a request leaves it open. */
export interface ModelDefaults {
  /** The sampler. */
  readonly sampler: SamplerName;
  /** Its steps. */
  readonly steps: number;
  /** Guidance scale. */
  readonly scale: number;
  /** Pixels. */
  readonly width: number;
  /** Pixels. */
  readonly height: number;
  /** Sides of pictures are multiples of it. */
  readonly sideMultiple: number;
  /** The guidance method. */
  readonly guidance: GuidanceName;
  /** Omega, for methods that have it. */
  readonly omega: number;
}

/** A model's defaults by itself, and what adapters make of them. */
export interface FamilyDefaults extends ModelDefaults {
  /** The guidance method with an adapter or a base; `guidance` is the one without. */
  readonly personalised: GuidanceName;
  /** Omega by the training method of the adapter, where it is not `omega`. */
  readonly omegas: Readonly<Record<string, number>>;
}

/** What training is set to where a request leaves it open and the method does not say. */
export interface TrainingDefaults {
  /** Of AdamW. */
  readonly weightDecay: number;
}

/** A component's weights as a graph is recorded with them. */
export type Modules = (component: string) => Module;

/** A prompt as the text networks take it. */
export interface Tokens {
  /** Numbers by the names of the text graph's inputs, equally long for every prompt unless there are {@link TextSide.feeds}. */
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  /** Positions of the states that the denoiser sees, where these are not all. */
  readonly states?: readonly number[];
  /** The words that did not fit, "" if all did. */
  readonly dropped: string;
}

export interface TextSide {
  /** Most tokens a prompt may have, for messages. */
  readonly positions: number;
  /** What goes before prompts (not the null prompt) where a request says nothing else; absent where nothing can. */
  readonly instruction?: string;
  /**
   * Learned tokens (and how many embeddings each has) are found in the prompt and count on from the vocabulary.
   *
   * @param instruction What goes before the prompt, where the family has {@link instruction}; nothing by default.
   */
  tokenize(tokenizer: Tokenizer, prompt: string, learned: ReadonlyMap<string, number>, instruction?: string): Tokens;
  /**
   * What the text graph is given in the place of tokens, where that has to be looked up first. Such families encode one prompt
   * at a time, each of its own length, and {@link DenoiserSide.prepare} takes `mask` [rows, tokens] beside `text`: 1 for a token, 0
   * for what fills a row up to the longest.
   */
  readonly feeds?: (tokens: Tokens) => Promise<Readonly<Record<string, LookedUp>>>;
  /** Whether a learned token is among the prompt's tokens. */
  hasLearned(tokens: Tokens): boolean;
  /** The position of the token that stands for the whole prompt. */
  end(tokenizer: Tokenizer, tokens: Tokens): number;
  /**
   * Records the text networks. Inputs: the tokens', and each of {@link embeddings}'. Outputs: `text` [rows, tokens, width],
   * and whatever else {@link DenoiserSide.prepare} takes.
   *
   * @throws TillerError if so many last layers cannot be left out.
   */
  graph(modules: Modules, options?: { readonly clipSkip?: number }): Outputs;
  /** Tables that learned tokens continue. */
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
  /** What files of several encoders call this one: `clip_l`. */
  readonly fileKey: string;
}

export interface DenoiserSide {
  /** Channels of the latents. */
  readonly channels: number;
  /** Once a prompt: from the text graph's outputs to inputs of {@link predict} by name. */
  prepare(modules: Modules): Outputs;
  /** Each step. Inputs: `latents`, `timestep` [batch], and {@link prepare}'s outputs. Output: `prediction`. */
  predict(modules: Modules): Outputs;
  /**
   * Layers of {@link predict} that stay float32 where a target multiplies as int8, by component; a component that is not named
   * stays float32 altogether.
   */
  readonly float32: Readonly<Record<string, RegExp>>;
  /** Pictures of these latents to compute together, where each is `rows` rows. */
  picturesAtOnce(rows: number, height: number, width: number): number;
}

export interface LatentCodec {
  readonly component: string;
  readonly channels: number;
  /** Pixels along one side of a latent. */
  readonly pixelsPerLatent: number;
  /** Input: `picture` [batch, 3, h, w], -1 to 1. Output: `encoded`, for {@link sample}. */
  encode(modules: Modules): Outputs;
  /** Latents as the denoiser sees them, from what the encoder gives for one picture and as many normal numbers as it has. */
  sample(encoded: Float32Array, noise: Float32Array): Float32Array;
  /** Latents as the decoder takes them. */
  unscaled(latents: Float32Array): Float32Array;
  /** Input: `latents` [batch, channels, h, w], unscaled. Output: `picture`. */
  decode(modules: Modules): Outputs;
}

/** How adapters for the family name what they change. */
export interface AdapterNames {
  /** Modules that always have a branch, so that adapters of the usual kind come and go without a rebuild, by component. */
  readonly usual: Readonly<Record<string, RegExp>>;
  /** Modules that a LoRA trains, by component. */
  readonly trained: Readonly<Record<string, RegExp>>;
  /** Keys of the matrices that make keys and values of the text: what Custom Diffusion trains, by component. */
  readonly keysValues: Readonly<Record<string, readonly string[]>>;
  /** What the keys of files begin with, and whose they then are; the first that fits counts. */
  readonly prefixes: readonly KeyPrefix[];
  /** From every other name the community has for a component's modules to theirs. */
  flatNames(component: string, modules: Iterable<string>): ReadonlyMap<string, string>;
}

export interface KeyPrefix {
  readonly pattern: RegExp;
  /** Absent where any component may be meant. */
  readonly component?: string;
  /** The rest is a path with "_" for ".". */
  readonly flat?: boolean;
}

/** A part of a model's folder that has weights. */
export interface Part {
  /** Classes, by model_index.json, that run. */
  readonly classes: readonly string[];
  /** Brings the keys of older files to the present spelling. */
  readonly keys?: (checkpoint: Checkpoint) => Checkpoint;
  /** @throws TillerError if the config is another task's. */
  readonly check?: (component: Component, where: string) => void;
}

export interface Family {
  /** For people: "Stable Diffusion". */
  readonly name: string;
  /** What is told to who brings another model: "StableDiffusionPipeline (SD 1.x and 2.x)". */
  readonly runs: string;
  /** Pipeline classes, by `_class_name` of model_index.json. */
  readonly classes: readonly string[];
  readonly parts: Readonly<Record<string, Part>>;
  /** How the family's single files are split into parts; absent where there are none. */
  readonly singleFile?: SingleFile;
  model(files: ModelFiles): Model;
}

export interface SingleFile {
  /**
   * @param yaml The text of the .yaml that lies beside the file under its name, if one does.
   * @throws TillerError naming what the file is instead.
   */
  split(file: Safetensors, name: string, yaml?: string): Promise<SplitFile>;
}

/** A part of a single file. */
export interface SplitComponent extends Component {
  /** What of the config the shapes prove; a config from elsewhere must agree with it. */
  readonly derived: Readonly<Record<string, unknown>>;
}

export interface SplitFile {
  readonly components: ReadonlyMap<string, SplitComponent>;
  readonly scheduler: Readonly<Record<string, unknown>>;
  /** Whether anything said what the network predicts; else the scheduler's is what such files usually are. */
  readonly predictionTold: boolean;
  /** What of the file could be meant otherwise, a sentence each. */
  readonly warnings: readonly string[];
  /** Repositories of the hub that hold the model's tokenizer; the first is where to get it. */
  readonly tokenizers: readonly string[];
}
