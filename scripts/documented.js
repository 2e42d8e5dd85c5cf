/**
 * Checks that every export of the package's entry points, and each of its members, has a doc comment.
 *
 *     node scripts/documented.js
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { SyntaxKind } from "typescript/unstable/ast";
import { API, SymbolFlags } from "typescript/unstable/sync";

/** @import { Node } from "typescript/unstable/ast" */
/** @import { Project, Symbol, Type } from "typescript/unstable/sync" */

/**
 * Undocumented exports, one sentence each.
 *
 * @param {string} config A tsconfig.json.
 * @param {readonly string[]} entries Files in it.
 * @returns {string[]}
 */
export function undocumented(config, entries) {
  const api = new API();
  try {
    const project = api.updateSnapshot({ openProjects: [config] }).getProjects()[0];
    if (!project) throw new Error(`${config} cannot be opened.`);
    return [...new Set(entries.flatMap((entry) => undocumentedIn(project, entry)))].sort();
  } finally {
    api.close();
  }
}

/**
 * @param {Project} project
 * @param {string} entry
 * @returns {string[]}
 */
function undocumentedIn({ program, checker }, entry) {
  const file = program.getSourceFile(entry);
  const module = file && checker.getSymbolAtLocation(file);
  if (!module) throw new Error(`${entry} is not a module of the project.`);
  return checker.getExportsOfModule(module).flatMap((exported) => {
    const symbol = exported.flags & SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
    const type = checker.getDeclaredTypeOfSymbol(symbol);
    const parts = type.isUnionType() ? type.getTypes() : [type];
    return [
      ...bare(symbol, exported.name),
      ...parts.flatMap((part) =>
        checker.getPropertiesOfType(part).flatMap((member) => bare(member, `${exported.name}.${member.name}`)),
      ),
    ];
  });
}

/**
 * The declarations of a symbol in our own code that have no doc comment.
 *
 * @param {Symbol} symbol
 * @param {string} name
 */
function bare(symbol, name) {
  return symbol.declarations.flatMap((handle) => {
    const node = handle.resolve();
    if (!node || /\/node_modules\/|\/lib\.[\w.]+\.d\.ts$/.test(handle.path) || isDocumented(node)) return [];
    return `${handle.path}: ${name} is exported and has no doc comment`;
  });
}

/** @param {Node} node */
function isDocumented(node) {
  /** @type {Node} */
  let documented = node;
  // The comment of `const x = …` is at the start of its statement.
  while (documented.parent && isInVariable(documented.kind)) documented = documented.parent;
  const { text } = documented.getSourceFile();
  const before = text.slice(documented.pos, documented.getStart());
  // A comment followed by a blank line belongs to the file, not to the declaration.
  const end = before.lastIndexOf("*/");
  if (end < 0 || !/^\*\/[ \t]*\r?\n?[ \t]*$/.test(before.slice(end))) return false;
  return before.lastIndexOf("/**", end) > before.lastIndexOf("*/", end - 1);
}

/** @param {SyntaxKind} kind */
const isInVariable = (kind) => kind === SyntaxKind.VariableDeclaration || kind === SyntaxKind.VariableDeclarationList;

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const { exports } = JSON.parse(readFileSync(`${root}/package.json`, "utf8"));
  const entries = Object.values(exports).map((entry) => `${root}${entry["tiller-source"].slice(2)}`);
  const found = undocumented(`${root}tsconfig.build.json`, entries);
  for (const sentence of found) console.error(sentence.replace(root, ""));
  process.exitCode = found.length === 0 ? 0 : 1;
}
