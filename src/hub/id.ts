/** Names of repositories, revisions and files on the hub. */

/** A parsed hub name. */
export interface HubName {
  /** `owner/name`. */
  readonly id: string;
  /** A branch, a tag or a commit; `main` if absent. */
  readonly revision?: string | undefined;
  /** One file of the repository. */
  readonly file?: string | undefined;
}

/** A missing `loras/cat.safetensors` is a misspelled file, not a repository. */
const weights = /\.(safetensors|ckpt|pt|pth|bin|gguf|onnx)$/i;

/**
 * Parses `owner/name`, `owner/name@revision`, `owner/name:path/to/file` and `owner/name@revision:path/to/file`; undefined for
 * anything else.
 */
export function parseHubName(text: string): HubName | undefined {
  const found = /^([A-Za-z0-9][\w.-]*\/[A-Za-z0-9_][\w.-]*)(?:@([\w./-]+))?(?::([^:\\]+))?$/.exec(text);
  const [, id = "", revision, file] = found ?? [];
  if (!found || id.includes("..") || id.includes("--") || weights.test(id)) return undefined;
  const escapes = [revision, file].some((path) => path?.split("/").some((part) => /^\.*$/.test(part)));
  return escapes ? undefined : { id, ...(revision && { revision }), ...(file && { file }) };
}
