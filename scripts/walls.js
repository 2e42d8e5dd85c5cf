/**
 * Enforces the plan in rooms.js: no room imports one above it, Node is used only where allowed, and there are no import cycles.
 *
 *     node scripts/walls.js
 */
import { readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { fileURLToPath } from "node:url";
import { ground, nodePackages, nodeRooms, rooms } from "./rooms.js";

/** `from "x"`, `import "x"`, `import("x")`; types too. */
const importing = /(?:\bfrom|\bimport)\s*\(?\s*"([^"]+)"/g;

/** @param {string} text */
const importsOf = (text) => [...text.matchAll(importing)].map(([, specifier]) => /** @type {string} */ (specifier));

/**
 * The violations, one sentence each.
 *
 * @param {ReadonlyMap<string, string>} files Texts by path from src/, such as `graph/value.ts`.
 * @returns {string[]}
 */
export function violations(files) {
  const found = [];
  /** @type {Map<string, string[]>} */
  const edges = new Map();
  for (const [file, text] of files) {
    /** @type {string[]} */
    const targets = [];
    edges.set(file, targets);
    for (const specifier of importsOf(text)) {
      if (specifier.startsWith(".")) {
        const target = posix.join(posix.dirname(file), specifier);
        targets.push(target);
        found.push(...wrongRoom(file, target));
      } else if (specifier.startsWith("#")) {
        found.push(...wrongRoom(file, `${specifier.slice(1)}/port.ts`));
      } else if (!mayUseNode(file) && (specifier.startsWith("node:") || nodePackages.includes(packageOf(specifier)))) {
        found.push(`${file} imports ${specifier}: the core has no Node in it; use a port`);
      }
    }
  }
  return [...found, ...circles(edges)];
}

/** @param {string} path */
const roomOf = (path) => (path.includes("/") ? path.slice(0, path.indexOf("/")) : path);

/** @param {string} specifier */
const packageOf = (specifier) => specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");

/** @param {string} file */
const mayUseNode = (file) => nodeRooms.includes(roomOf(file)) || file === "node.ts" || file.split("/").includes("node");

/**
 * @param {string} file
 * @param {string} target
 */
function wrongRoom(file, target) {
  const [from, to] = [roomOf(file), roomOf(target)];
  if (ground.includes(file) && !ground.includes(target) && from !== to)
    return [`${file} imports ${target}: the ground stands on nothing`];
  const allowed = rooms[from];
  // index.ts, node.ts and the ground files belong to no room.
  if (from === to || allowed === undefined || ground.includes(target)) return [];
  if (allowed.includes(to) || allowed.includes(target)) return [];
  return [`${file} imports ${target}: ${from} may import ${allowed.join(", ") || "no other room"}`];
}

/** @param {ReadonlyMap<string, readonly string[]>} edges */
function circles(edges) {
  /** @type {string[]} */
  const found = [];
  /** @type {Map<string, "open" | "closed">} */
  const state = new Map();
  /** @type {(file: string, path: readonly string[]) => void} */
  const visit = (file, path) => {
    if (state.get(file) === "closed") return;
    if (state.get(file) === "open") {
      found.push(`files import each other in a circle: ${[...path.slice(path.indexOf(file)), file].join(" > ")}`);
      return;
    }
    state.set(file, "open");
    for (const next of edges.get(file) ?? []) visit(next, [...path, file]);
    state.set(file, "closed");
  };
  for (const file of edges.keys()) visit(file, []);
  return found;
}

/**
 * The code of a folder, without tests, by path.
 *
 * @param {string} folder
 */
export function codeIn(folder) {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => name.replaceAll("\\", "/"));
  const code = names.filter((name) => /\.(ts|tsx|js)$/.test(name) && !/\.test\.ts$/.test(name)).sort();
  return new Map(code.map((name) => [name, readFileSync(`${folder}/${name}`, "utf8")]));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const found = [...violations(codeIn(`${root}/src`)), ...violations(codeIn(`${root}/studio/src`))];
  for (const sentence of found) console.error(sentence);
  process.exitCode = found.length === 0 ? 0 : 1;
}
