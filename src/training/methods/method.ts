/** What a personalisation method trains and how, as data; the loop is the same for all. */

/** Where a learned token's embeddings start. */
export type Initializer =
  /** The class noun's. */
  | "noun"
  /** Normal, as widely spread as the model's own. */
  | "random"
  /** A word's. */
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
  /** Embeddings of a learned token; absent where the token is a word the model knows. */
  readonly learned?: { readonly vectors: number; readonly initializer: Initializer } | undefined;
  /** Pictures of the class beside the subject's, so that the class is not forgotten. */
  readonly prior: boolean;
  /** ClassDiffusion's semantic preservation loss. */
  readonly semantic: boolean;
  /** Custom Diffusion's augmentation, with the loss of each picture a mean over its mask. */
  readonly augmentation: boolean;
  /** Whether half of the pictures are mirrored. */
  readonly flip: boolean;
  /** Pictures of the subject in one evaluation. */
  readonly batch: number;
  /** Of AdamW. */
  readonly learningRate: number;
  /** How many. */
  readonly steps: number;
  /** The text of a picture without a caption; {token} and {class} stand for what the person names. */
  readonly prompt: string;
}
