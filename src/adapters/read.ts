/** Reads an adapter from a file or folder of any supported format. */
import { basename, exists, extname, join, kindOf, list } from "#bytes";
import { readTensors } from "../bytes/read-tensors.ts";
import type { Safetensors } from "../bytes/safetensors.ts";
import { TillerError } from "../errors/index.ts";
import type { HubOptions } from "../hub/options.ts";
import type { Adapter } from "./adapter.ts";
import { placeOfAdapter } from "./hub-adapter.ts";
import type { Base } from "./kind.ts";
import { kinds } from "./kinds.ts";
import { alphasBeside, isPeft } from "./peft-config.ts";
import { isTextualInversion } from "./textual-inversion.ts";

/**
 * Reads an adapter for a base model.
 *
 * @param name A file: LoRA (PEFT, Diffusers, kohya), Custom Diffusion, textual inversion; or a folder that one of their tools
 *   wrote (a Custom Diffusion folder with its token files, a PEFT folder with its adapter_config.json); or either on the hub,
 *   as `owner/name` or `owner/name:file`, which is downloaded first.
 * @throws TillerError if it is damaged, of a kind Tiller does not read, or for another base model, naming the first key that
 *   does not fit and both shapes.
 */
export async function readAdapter(name: string, base: Base, options?: HubOptions): Promise<Adapter> {
  const path = await placeOfAdapter(name, options);
  return (await kindOf(path)) === "folder" ? readFolder(path, base) : readFile(path, base);
}

/** An adapter file's metadata; empty for a folder. */
export async function readMetadata(name: string, options?: HubOptions): Promise<Adapter["metadata"]> {
  const path = await placeOfAdapter(name, options);
  return (await kindOf(path)) === "folder" ? {} : (await open(path)).metadata;
}

async function readFile(file: string, base: Base): Promise<Adapter> {
  const { tensors, metadata } = await open(file);
  const alphas = await alphasBeside(file, tensors.keys(), metadata);
  const empty: Adapter = {
    name: basename(file, extname(file)),
    file,
    format: "peft",
    lowRank: new Map(),
    full: new Map(),
    differences: new Map(),
    tokens: new Map(),
    metadata,
    warnings:
      isPeft(tensors.keys()) && !alphas && metadata.lora_adapter_metadata === undefined ? [alphaUnknown(file)] : [],
  };
  const found = { file, tensors, metadata, alphas };
  const kind = kinds.find((one) => one.recognises(found))!;
  return { ...empty, ...(await kind.read(found, base)) };
}

const alphaUnknown = (file: string): string =>
  `${file} was written by PEFT, but there is no adapter_config.json beside it: each alpha is assumed to equal its rank`;

/** @throws TillerError if the file holds no tensors. */
async function open(file: string): Promise<Safetensors> {
  const opened = await readTensors(file);
  if (opened.tensors.size === 0) throw new TillerError("adapter-empty", `${file} holds no tensors.`, { paths: [file] });
  const unprintable = [...opened.tensors.keys()].find((key) => /[\p{Cc}\p{Zl}\p{Zp}]/u.test(key));
  if (unprintable !== undefined)
    throw new TillerError(
      "adapter-damaged",
      `${file} is damaged: a tensor's name, ${JSON.stringify(unprintable)}, has unprintable characters.`,
      { paths: [file] },
    );
  return opened;
}

async function readFolder(folder: string, base: Base): Promise<Adapter> {
  for (const extension of [".safetensors", ".bin"]) {
    const peft = join(folder, `adapter_model${extension}`);
    if (!(await exists(peft))) continue;
    const config = join(folder, "adapter_config.json");
    if (!(await exists(config)))
      throw new TillerError("file-missing", `${config} is missing: it holds the alphas of ${peft}.`, {
        paths: [config, peft],
      });
    return { ...(await readFile(peft, base)), name: basename(folder) };
  }
  for (const name of ["pytorch_lora_weights", "pytorch_custom_diffusion_weights", "learned_embeds"]) {
    for (const extension of [".safetensors", ".bin"]) {
      const main = join(folder, name + extension);
      if (!(await exists(main))) continue;
      const adapter = await readFile(main, base);
      return { ...adapter, name: basename(folder), tokens: await tokensIn(folder, base, adapter.tokens) };
    }
  }
  const parts: Adapter[] = [];
  for (const component of base.steered) {
    const part = join(folder, component);
    // PEFT's keys in such a folder do not say which component they are for.
    if ((await kindOf(part)) === "folder") parts.push(await readFolder(part, { ...base, steered: [component] }));
  }
  if (parts.length > 0) return { ...parts[0]!, name: basename(folder), ...together(parts) };
  throw new TillerError(
    "adapter-empty",
    `${folder} holds no adapter: it has neither adapter_model.safetensors nor pytorch_lora_weights.safetensors nor pytorch_custom_diffusion_weights.safetensors.`,
    { paths: [folder] },
  );
}

/** Merges the adapters of a folder's components. */
function together(
  parts: readonly Adapter[],
): Pick<Adapter, "lowRank" | "full" | "differences" | "tokens" | "warnings"> {
  const joined = <T>(of: (part: Adapter) => ReadonlyMap<string, ReadonlyMap<string, T>>) => {
    const all = new Map<string, Map<string, T>>();
    for (const [component, changes] of parts.flatMap((part) => [...of(part)]))
      all.set(component, new Map([...(all.get(component) ?? []), ...changes]));
    return all;
  };
  return {
    lowRank: joined(({ lowRank }) => lowRank),
    full: joined(({ full }) => full),
    differences: joined(({ differences }) => differences),
    tokens: joined(({ tokens }) => tokens),
    warnings: parts.flatMap(({ warnings }) => warnings),
  };
}

/** Token files beside the weights: Custom Diffusion's `<new1>.safetensors`, the advanced script's `…_emb.safetensors`. */
async function tokensIn(folder: string, base: Base, own: Adapter["tokens"]): Promise<Adapter["tokens"]> {
  const tokens = new Map([...own].map(([component, table]) => [component, new Map(table)]));
  for (const name of (await list(folder)).sort()) {
    const file = join(folder, name);
    if (!/^[^.].*\.safetensors$|^<.*>\.bin$/.test(name) || !isTextualInversion((await readTensors(file)).tensors))
      continue;
    for (const [component, table] of (await readFile(file, base)).tokens) {
      tokens.set(component, new Map([...(tokens.get(component) ?? []), ...table]));
    }
  }
  return tokens;
}
