/** Paths in a browser: addresses, which are read-only, and `opfs:/…`, the page's private file system. */

export const scheme = "opfs:";

export function join(...parts: readonly string[]): string {
  const [head = "", ...rest] = parts.filter((part) => part !== "");
  const [, root = "", path = ""] = /^([\w+.-]+:\/{0,2}[^/]*|\/?)(.*)$/s.exec([head, ...rest].join("/"))!;
  const names: string[] = [];
  for (const name of path.split("/")) {
    if (name === "..") names.pop();
    else if (name !== "" && name !== ".") names.push(name);
  }
  const absolute = path.startsWith("/") && root !== "/";
  return `${root}${absolute ? "/" : ""}${names.join("/")}`;
}

export const dirname = (path: string): string => path.replace(/\/[^/]*$/, "");

export function basename(path: string, extension = ""): string {
  const name = path.replace(/\/+$/, "").split("/").at(-1)!;
  return extension !== "" && name.endsWith(extension) ? name.slice(0, -extension.length) : name;
}

export const extname = (path: string): string => /[^/](\.[^./]*)$/.exec(path)?.[1] ?? "";

export const resolve = (path: string): string =>
  path.startsWith(scheme) ? path : new URL(path, globalThis.location?.href).href;

export const placeOf = (name: string): string => name;

export const packageFile = (path: string): string => new URL(`../../../${path}`, import.meta.url).href;

export const cacheFolder = (): string => `${scheme}/cache`;
