/** Renames keys of older library versions, so that model code knows only the current ones. */
import type { TensorRef } from "../../bytes/tensor-ref.ts";
import type { Checkpoint } from "../../weights/checkpoint.ts";

const oldAttention: Readonly<Record<string, string>> = {
  query: "to_q",
  key: "to_k",
  value: "to_v",
  proj_attn: "to_out.0",
};

/**
 * AutoencoderKL keys as current Diffusers spells them: the mid block's attention used to be `query`, `key`, `value`,
 * `proj_attn`, and its weights 1x1 convolutions, [C, C, 1, 1]; they become [C, C].
 */
export function presentVaeKeys(checkpoint: Checkpoint): Checkpoint {
  return mapKeys(checkpoint, (key, ref) => {
    const [, before, old, after] = /^(.*\.attentions\.\d+\.)(query|key|value|proj_attn)(\.\w+)$/.exec(key) ?? [];
    const name = old ? `${before}${oldAttention[old]}${after}` : key;
    return [name, /\.attentions\.\d+\.to_(q|k|v|out\.0)\.weight$/.test(name) ? withoutUnitAxes(ref) : ref];
  });
}

/**
 * CLIP text encoder keys with the `text_model.` prefix, which Transformers 5.6 and later omits, and without the
 * `position_ids` buffer, which is 0, 1, 2, ….
 */
export function presentClipKeys(checkpoint: Checkpoint): Checkpoint {
  return mapKeys(checkpoint, (key, ref) => {
    if (key.endsWith("embeddings.position_ids")) return undefined;
    return [/^(embeddings|encoder|final_layer_norm)\./.test(key) ? `text_model.${key}` : key, ref];
  });
}

/** A matrix that was stored as a 1x1 convolution, [out, in, 1, 1] or [out, in, 1]: the same bytes as [out, in]. */
export function withoutUnitAxes(ref: TensorRef): TensorRef {
  const [out, input, ...rest] = ref.shape;
  if (out === undefined || input === undefined || rest.length === 0 || rest.some((n) => n !== 1)) return ref;
  return { ...ref, shape: [out, input] };
}

function mapKeys(
  checkpoint: Checkpoint,
  rename: (key: string, ref: TensorRef) => readonly [string, TensorRef] | undefined,
): Checkpoint {
  const renamed = new Map<string, TensorRef>();
  for (const [key, ref] of checkpoint) {
    const entry = rename(key, ref);
    if (entry) renamed.set(...entry);
  }
  return renamed;
}
