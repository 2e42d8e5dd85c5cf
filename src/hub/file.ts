/** One file of a repository. */
import { join } from "#bytes";
import { fetchSnapshot } from "#hub";
import { TillerError } from "../errors/index.ts";
import type { HubName } from "./id.ts";
import type { HubOptions } from "./options.ts";

/** `owner/name`, with the revision if one is given. */
export const repositoryName = ({ id, revision }: HubName): string => (revision ? `${id}@${revision}` : id);

/**
 * Downloads one file of a repository, and returns its path.
 *
 * @throws TillerError if the repository cannot be read, or has no such file, naming those it has.
 */
export async function fetchFile(repository: HubName, file: string, options?: HubOptions): Promise<string> {
  const choose = (names: readonly string[]) => {
    if (names.includes(file)) return [file];
    const like = names.filter((name) => /\.(safetensors|ckpt|pt|pth|bin)$/.test(name)).slice(0, 5);
    throw new TillerError(
      "file-missing",
      `${repositoryName(repository)} has no file ${file}${like.length > 0 ? `: it has ${like.join(", ")}` : ""}.`,
      { paths: [repositoryName(repository), file, ...like] },
    );
  };
  return join(await fetchSnapshot(repository, choose, options), file);
}
