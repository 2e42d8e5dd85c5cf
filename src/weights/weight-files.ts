/** Which of a component's files hold its weights: one rule for folders on disk and repositories on the hub. */

/** The one file to open: weights themselves, or the index of a sharded set. `names` is what to fetch for it. */
export interface WeightFiles {
  readonly kind: "file" | "index";
  readonly file: string;
  readonly names: readonly string[];
}

/** What Diffusers calls its weights, and what Transformers does. */
const stems = ["diffusion_pytorch_model", "model"] as const;

/**
 * Chooses among the names in a component's folder: the requested variant, else the plain files, else the only variant there
 * is (repositories that hold fp16 weights alone are common). A single file goes before shards.
 *
 * Variants have two spellings: `model.fp16-00001-of-00002` and `model-00001-of-00002.fp16`; their index is
 * `model.safetensors.index.fp16.json`. Undefined when no safetensors weights are there.
 */
export function chooseWeightFiles(names: Iterable<string>, variant?: string): WeightFiles | undefined {
  const all = new Set(names);
  for (const stem of stems) {
    const found = choose(all, stem, variant) ?? choose(all, stem, undefined);
    if (found) return found;
  }
  for (const stem of stems) {
    const variants = new Set([...all].flatMap((name) => variantOf(name, stem) ?? []));
    const [only] = variants;
    if (variants.size === 1) return choose(all, stem, only);
  }
  return undefined;
}

/** Whether any of a component's weights are spelled as this variant. */
export const hasVariant = (names: Iterable<string>, variant: string): boolean =>
  stems.some((stem) => choose(new Set(names), stem, variant) !== undefined);

function choose(names: ReadonlySet<string>, stem: string, variant: string | undefined): WeightFiles | undefined {
  const dot = variant === undefined ? "" : `.${variant}`;
  const file = `${stem}${dot}.safetensors`;
  if (names.has(file)) return { kind: "file", file, names: [file] };
  for (const index of new Set([`${stem}.safetensors.index${dot}.json`, `${stem}${dot}.safetensors.index.json`])) {
    if (!names.has(index)) continue;
    const shards = [...names].filter((name) => {
      const [, before, after] = shardPattern(stem).exec(name) ?? [];
      return before !== undefined && `${before}${after}` === dot;
    });
    return { kind: "index", file: index, names: [index, ...shards] };
  }
  return undefined;
}

function shardPattern(stem: string): RegExp {
  return new RegExp(`^${stem}((?:\\.[\\w-]*?[A-Za-z_]\\w*)?)-\\d+-of-\\d+((?:\\.\\w+)?)\\.safetensors$`);
}

function variantOf(name: string, stem: string): string | undefined {
  return (
    new RegExp(`^${stem}\\.(\\w+)\\.safetensors$`).exec(name)?.[1] ??
    new RegExp(`^${stem}\\.safetensors\\.index\\.(\\w+)\\.json$`).exec(name)?.[1] ??
    new RegExp(`^${stem}\\.(\\w+)\\.safetensors\\.index\\.json$`).exec(name)?.[1]
  );
}
