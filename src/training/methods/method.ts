/** What a personalisation method trains and how, as data; the loop is the same for all. */

/** Where a learned token's embeddings start. */
export type Initializer =
  /** The class noun's. */
  | "noun"
  /** Normal, as widely spread as the model's own. */
  | "random"
  /** A word's. */
  | { readonly word: string };

export interface TrainingMethod {
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
  readonly flip: boolean;
  readonly batch: number;
  readonly learningRate: number;
  readonly steps: number;
  /** {token} and {class} stand for what the person names. */
  readonly prompt: string;
}
