/** Chooses a component's weight files, in folders on disk and in hub repositories alike. */

/** The file to open: the weights, or the index of their shards. `names` are the files to fetch. */
export interface WeightFiles {
  readonly kind: "file" | "index";
  readonly file: string;
  readonly names: readonly string[];
}

/** File stems of Diffusers and Transformers in each format; safetensors are preferred to `torch.save` files. */
const formats = [
  { extension: "safetensors", stems: ["diffusion_pytorch_model", "model"] },
  { extension: "bin", stems: ["diffusion_pytorch_model", "pytorch_model"] },
] as const;

/** A weight file's name without its variant. */
interface Spelling {
  readonly stem: string;
  readonly extension: string;
}
const spellings: readonly Spelling[] = formats.flatMap(({ extension, stems }) =>
  stems.map((stem) => ({ stem, extension })),
);

/**
 * Chooses among the names in a component's folder: the requested variant, else the plain files, else the only variant there
 * is (repositories with only fp16 weights are common). A single file is preferred to shards.
 *
 * Variants have two spellings: `model.fp16-00001-of-00002` and `model-00001-of-00002.fp16`; their index is
 * `model.safetensors.index.fp16.json`. Undefined if there are no weights.
 */
export function chooseWeightFiles(names: Iterable<string>, variant?: string): WeightFiles | undefined {
  const all = new Set(names);
  const wanted = variant === undefined ? undefined : first((spelling) => choose(all, spelling, variant));
  if (wanted) return wanted;
  for (const { extension } of formats) {
    const same = spellings.filter((spelling) => spelling.extension === extension);
    const found =
      first((spelling) => choose(all, spelling, undefined), same) ??
      first((spelling) => onlyVariant(all, spelling), same);
    if (found) return found;
  }
  return undefined;
}

function first<T>(find: (spelling: Spelling) => T | undefined, among: readonly Spelling[] = spellings): T | undefined {
  for (const spelling of among) {
    const found = find(spelling);
    if (found) return found;
  }
  return undefined;
}

function onlyVariant(all: ReadonlySet<string>, spelling: Spelling): WeightFiles | undefined {
  const variants = new Set([...all].flatMap((name) => variantOf(name, spelling) ?? []));
  const [only] = variants;
  return variants.size === 1 ? choose(all, spelling, only) : undefined;
}

/** Whether a component has weights of this variant. */
export const hasVariant = (names: Iterable<string>, variant: string): boolean =>
  first((spelling) => choose(new Set(names), spelling, variant)) !== undefined;

function choose(
  names: ReadonlySet<string>,
  { stem, extension }: Spelling,
  variant: string | undefined,
): WeightFiles | undefined {
  const dot = variant === undefined ? "" : `.${variant}`;
  const file = `${stem}${dot}.${extension}`;
  if (names.has(file)) return { kind: "file", file, names: [file] };
  for (const index of new Set([`${stem}.${extension}.index${dot}.json`, `${stem}${dot}.${extension}.index.json`])) {
    if (!names.has(index)) continue;
    const shards = [...names].filter((name) => {
      const [, before, after] = shardPattern(stem, extension).exec(name) ?? [];
      return before !== undefined && `${before}${after}` === dot;
    });
    return { kind: "index", file: index, names: [index, ...shards] };
  }
  return undefined;
}

function shardPattern(stem: string, extension: string): RegExp {
  return new RegExp(`^${stem}((?:\\.[\\w-]*?[A-Za-z_]\\w*)?)-\\d+-of-\\d+((?:\\.\\w+)?)\\.${extension}$`);
}

function variantOf(name: string, { stem, extension }: Spelling): string | undefined {
  return (
    new RegExp(`^${stem}\\.(\\w+)\\.${extension}$`).exec(name)?.[1] ??
    new RegExp(`^${stem}\\.${extension}\\.index\\.(\\w+)\\.json$`).exec(name)?.[1] ??
    new RegExp(`^${stem}\\.(\\w+)\\.${extension}\\.index\\.json$`).exec(name)?.[1]
  );
}
