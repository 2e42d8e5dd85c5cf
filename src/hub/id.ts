/** Names of repositories. */

/** Whether a string can be a repository's name on the hub: `owner/name`. */
export function isHubId(text: string): boolean {
  return /^[A-Za-z0-9][\w.-]*\/[A-Za-z0-9_][\w.-]*$/.test(text) && !text.includes("..") && !text.includes("--");
}
