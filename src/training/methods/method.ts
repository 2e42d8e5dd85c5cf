/** What a training method trains and how, as data; the loop is the same for all. */

/** The initial value of a learned token's embeddings. */
export type Initializer =
  /** The class noun's embedding. */
  | "noun"
  /** Normal, with the standard deviation of the model's own. */
  | "random"
  /** A word's embedding. */
  | {
      /** The word, which must be one token. */
      readonly word: string;
    };

/** What a training method trains and how. */
export interface TrainingMethod {
  /** One line. */
  readonly summary: string;
  /** Low-rank factors on every attention projection of the U-Net. */
  readonly lora: boolean;
  /** The cross-attentions' key and value matrices, whole. */
  readonly matrices: boolean;
  /** Every tensor of the denoiser: the result is a network, not an adapter. */
  readonly network?: boolean | undefined;
  /** Embeddings of a learned token; absent if the token is a word the model knows. */
  readonly learned?: { readonly vectors: number; readonly initializer: Initializer } | undefined;
  /** Prior preservation: class images besides the instance images, so that the class is not forgotten. */
  readonly prior: boolean;
  /** ClassDiffusion's semantic preservation loss. */
  readonly semantic: boolean;
  /** Custom Diffusion's augmentation, with each picture's loss averaged over its mask. */
  readonly augmentation: boolean;
  /** Whether half of the pictures are mirrored. */
  readonly flip: boolean;
  /** Instance images per evaluation. */
  readonly batch: number;
  /** AdamW's learning rate. */
  readonly learningRate: number;
  /** Training steps. */
  readonly steps: number;
  /** The share of captions replaced by "", so that the network still knows the null prompt; none by default. */
  readonly captionDropout?: number | undefined;
  /** The text of a picture without a caption; {token} and {class} are filled in from the request. "" if every picture needs a caption. */
  readonly prompt: string;
}
