/** Adapters on the hub: which files of a repository make up the adapter. */
import { join, kindOf, list } from "#bytes";
import { fetchSnapshot } from "#hub";
import { TillerError } from "../errors/index.ts";
import { fetchFile, repositoryName } from "../hub/file.ts";
import { parseHubName } from "../hub/id.ts";
import type { HubOptions } from "../hub/options.ts";

/**
 * Path of an adapter: a local file or folder as named; a hub adapter is downloaded first.
 *
 * @param name A file, a folder, `owner/name`, `owner/name@revision` or `owner/name:file`.
 * @throws TillerError if the repository cannot be read, has no adapter, or has several without a usual name.
 */
export async function placeOfAdapter(name: string, options?: HubOptions): Promise<string> {
  const hub = (await kindOf(name)) === undefined ? parseHubName(name) : undefined;
  if (!hub) return name;
  if (hub.file !== undefined) return fetchFile(hub, hub.file, options);
  const choose = (names: readonly string[]) => adapterFiles(repositoryName(hub), names);
  const snapshot = await fetchSnapshot(hub, choose, options);
  // From the snapshot itself, which may come from another tool or be used offline.
  const files = choose(await list(snapshot));
  return files.length === 1 && !usual.test(files[0]!) ? join(snapshot, files[0]!) : snapshot;
}

/** Adapter file names used by PEFT, Diffusers and its scripts; a folder with one of these is read as a whole. */
const usual =
  /^((adapter_model|pytorch_lora_weights|pytorch_custom_diffusion_weights|learned_embeds)\.(safetensors|bin))$/;
/** Files that belong to them: PEFT's config, learned tokens. */
const beside = /^(adapter_config\.json|<[^/]*>\.(bin|safetensors)|[^/]*_emb\.safetensors)$/;

function adapterFiles(repository: string, names: readonly string[]): string[] {
  const main = names.filter((name) => usual.test(name));
  const chosen = main.filter((name) => !name.endsWith(".bin") || !main.includes(name.replace(/bin$/, "safetensors")));
  if (chosen.length > 0) return [...chosen, ...names.filter((name) => beside.test(name))];
  for (const pattern of [/^[^/]+\.safetensors$/, /^[^/]+\.(bin|pt)$/]) {
    const found = names.filter((name) => pattern.test(name));
    if (found.length === 1) return found;
    if (found.length > 1)
      throw new TillerError(
        "adapter-ambiguous",
        `${repository} has several weight files: name one, as ${repository}:${found[0]} (or ${found.slice(1, 5).join(", ")}).`,
        { paths: [repository, ...found.slice(0, 5)] },
      );
  }
  throw new TillerError("adapter-empty", `${repository} has no adapter: it has no weight file.`, {
    paths: [repository],
  });
}
