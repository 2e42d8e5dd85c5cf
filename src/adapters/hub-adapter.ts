/** Adapters on the hub: which files of a repository are one. */
import { join, kindOf, list } from "#bytes";
import { fetchSnapshot } from "#hub";
import { TillerError } from "../errors/index.ts";
import { fetchFile, repositoryName } from "../hub/file.ts";
import { parseHubName } from "../hub/id.ts";
import type { HubOptions } from "../hub/options.ts";

/**
 * Where an adapter lies: a file or folder of this machine as it is named; what the hub's name stands for is brought here first.
 *
 * @param name A file, a folder, `owner/name`, `owner/name@revision` or `owner/name:file`.
 * @throws TillerError if the repository cannot be read, or holds no adapter, or several of which none has a usual name.
 */
export async function placeOfAdapter(name: string, options?: HubOptions): Promise<string> {
  const hub = (await kindOf(name)) === undefined ? parseHubName(name) : undefined;
  if (!hub) return name;
  if (hub.file !== undefined) return fetchFile(hub, hub.file, options);
  const choose = (names: readonly string[]) => adapterFiles(repositoryName(hub), names);
  const snapshot = await fetchSnapshot(hub, choose, options);
  // Of what is here, for it may have been brought by others, or offline.
  const files = choose(await list(snapshot));
  return files.length === 1 && !usual.test(files[0]!) ? join(snapshot, files[0]!) : snapshot;
}

/** What PEFT, Diffusers and its scripts call adapters; a folder with one of these is read as a whole. */
const usual =
  /^((adapter_model|pytorch_lora_weights|pytorch_custom_diffusion_weights|learned_embeds)\.(safetensors|bin))$/;
/** What belongs to them: PEFT's config, the learned tokens. */
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
        `${repository} holds several files of weights: name one, as ${repository}:${found[0]} (or ${found.slice(1, 5).join(", ")}).`,
        { paths: [repository, ...found.slice(0, 5)] },
      );
  }
  throw new TillerError("adapter-empty", `${repository} holds no adapter: it has no file of weights.`, {
    paths: [repository],
  });
}
