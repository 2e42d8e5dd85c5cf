/** Names of repositories, of their revisions and of files in them. */

/** What a name on the hub stands for. */
export interface HubName {
  /** `owner/name`. */
  readonly id: string;
  /** A branch, a tag or a commit; `main` where it is left open. */
  readonly revision?: string | undefined;
  /** One file of the repository. */
  readonly file?: string | undefined;
}

/** `loras/cat.safetensors` that is not here is a file misspelled, and no repository. */
const weights = /\.(safetensors|ckpt|pt|pth|bin|gguf|onnx)$/i;

/**
 * Takes apart `owner/name`, `owner/name@revision`, `owner/name:path/to/file` and `owner/name@revision:path/to/file`; undefined
 * for what is none of them.
 */
export function parseHubName(text: string): HubName | undefined {
  const found = /^([A-Za-z0-9][\w.-]*\/[A-Za-z0-9_][\w.-]*)(?:@([\w./-]+))?(?::([^:\\]+))?$/.exec(text);
  const [, id = "", revision, file] = found ?? [];
  if (!found || id.includes("..") || id.includes("--") || weights.test(id)) return undefined;
  const escapes = [revision, file].some((path) => path?.split("/").some((part) => /^\.*$/.test(part)));
  return escapes ? undefined : { id, ...(revision && { revision }), ...(file && { file }) };
}
