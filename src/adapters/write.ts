/** Writes adapter files as Diffusers and PEFT do, so that they load there unchanged. */
import { type TensorData, writeSafetensors } from "../bytes/safetensors.ts";
import type { Adapter, Factor, LowRank } from "./adapter.ts";

type Metadata = Readonly<Record<string, string>>;

/**
 * Writes a LoRA in PEFT's format: `unet.<module>.lora_A.weight` [rank, in] and `lora_B.weight` [out, rank].
 *
 * Rank and alpha go into `lora_adapter_metadata`, where Diffusers reads them; they are those of each component's first
 * module, and modules that differ get patterns.
 */
export async function writeLora(file: string, lowRank: Adapter["lowRank"], metadata: Metadata = {}): Promise<void> {
  const tensors: TensorData[] = [];
  const config: Record<string, unknown> = {};
  for (const [prefix, modules] of lowRank) {
    if (modules.size === 0) continue;
    for (const [key, value] of Object.entries(peftConfig(modules))) config[`${prefix}.${key}`] = value;
    for (const [path, { down, up }] of modules) {
      tensors.push(tensorOf(`${prefix}.${path}.lora_A.weight`, down), tensorOf(`${prefix}.${path}.lora_B.weight`, up));
    }
  }
  const sorted = Object.fromEntries(Object.entries(config).sort(([a], [b]) => (a < b ? -1 : 1)));
  await writeSafetensors(file, tensors, {
    ...metadata,
    format: "pt",
    lora_adapter_metadata: JSON.stringify(sorted, null, 2),
  });
}

/** The fields of PEFT's LoraConfig. */
function peftConfig(modules: ReadonlyMap<string, LowRank>): Record<string, unknown> {
  const settings = [...modules].map(([path, { down, scale }]) => {
    const rank = down.shape[0]!;
    return { path, rank, alpha: scale * rank };
  });
  const { rank, alpha } = settings[0]!;
  // PEFT matches patterns against the end of a path, and newer Transformers paths do not start with text_model.
  const differing = (key: "rank" | "alpha", usual: number) =>
    Object.fromEntries(
      settings.filter((s) => s[key] !== usual).map((s) => [s.path.replace(/^text_model\./, ""), s[key]]),
    );
  return {
    peft_type: "LORA",
    r: rank,
    lora_alpha: alpha,
    rank_pattern: differing("rank", rank),
    alpha_pattern: differing("alpha", alpha),
    // The last part only: whole paths differ between versions of Transformers.
    target_modules: [...new Set([...modules.keys()].map((path) => /[^.]+(\.\d+)?$/.exec(path)![0]))].sort(),
    init_lora_weights: true,
    lora_dropout: 0,
    bias: "none",
    use_rslora: false,
    use_dora: false,
  };
}

/**
 * Writes whole matrices [out, in] by module path, such as `….attn2.to_k`, in the format of Custom Diffusion's attention
 * processors.
 */
export async function writeCustomDiffusion(
  file: string,
  matrices: ReadonlyMap<string, Factor>,
  metadata: Metadata = {},
): Promise<void> {
  const tensors = [...matrices].map(([path, factor]) => {
    const [, attention, name, index = ""] = /^(.*)\.to_(k|v|q|out)(\.0)?$/.exec(path)!;
    return tensorOf(`${attention}.processor.to_${name}_custom_diffusion${index}.weight`, factor);
  });
  await writeSafetensors(file, tensors, { ...metadata, format: "pt" });
}

/**
 * Writes embeddings [n, width] by key: a token, as `{ "<cat>": … }` of Diffusers' textual inversion; or a text encoder's key,
 * `clip_l` or `clip_g`, for all vectors in order, as Diffusers' advanced scripts do.
 */
export async function writeEmbeddings(
  file: string,
  embeddings: ReadonlyMap<string, readonly Float32Array[]>,
  metadata: Metadata = {},
): Promise<void> {
  const tensors = [...embeddings].map(([name, vectors]): TensorData => {
    const width = vectors[0]!.length;
    const data = new Float32Array(vectors.length * width);
    for (const [i, vector] of vectors.entries()) data.set(vector, i * width);
    return tensorOf(name, { shape: [vectors.length, width], data });
  });
  await writeSafetensors(file, tensors, { ...metadata, format: "pt" });
}

const tensorOf = (name: string, { shape, data }: Factor): TensorData => ({
  name,
  dtype: "float32",
  shape,
  data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
});
