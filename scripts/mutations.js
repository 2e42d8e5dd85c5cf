/**
 * Mutation tests: small changes to the arithmetic and file handling, one at a time in a copy of the tree; tests should catch
 * each.
 *
 *     npm run check:mutations -- [--only src/guidance] [--most 60] [--seed 1]
 */
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

/** What is mutated, and the tests that should catch it: first those that take seconds, then the others. */
const rooms = [
  { folder: "src/guidance", first: ["src/guidance"], second: [] },
  { folder: "src/samplers", first: ["src/samplers"], second: [] },
  {
    folder: "src/schedules",
    first: ["src/samplers"],
    second: ["src/training/objective", "test/parity-training.test.ts"],
  },
  { folder: "src/training/optimise", first: ["src/training"], second: ["test/parity-training.test.ts"] },
  {
    folder: "src/training/data",
    files: /^(augmentation|data-order|draws)\./,
    first: ["src/training"],
    second: ["test/parity-training.test.ts"],
  },
  {
    folder: "src/training/objective",
    files: /^(noising|objective|latents)\./,
    first: ["src/training"],
    second: ["test/parity-training.test.ts"],
  },
  { folder: "src/bytes", first: ["src/bytes"], second: ["src/weights"] },
  {
    folder: "src/bytes/node",
    first: ["src/bytes"],
    second: ["src/experiments/store", "src/weights", "src/training/run"],
  },
];

/** Equivalent mutants: file, the mutated line, and why it is equivalent. */
const equivalent = [["", "", ""]];

/** @type {readonly (readonly [RegExp, (...found: string[]) => string])[]} */
const operators = [
  [/ [+-] /g, (found) => (found === " + " ? " - " : " + ")],
  [/ [*/] /g, (found) => (found === " * " ? " / " : " * ")],
  [/ ([<>])(=?) /g, (_, side, equal) => ` ${side}${equal === "" ? "=" : ""} `],
  [/ ([=!])== /g, (_, sign) => ` ${sign === "=" ? "!" : "="}== `],
  [/ && | \|\| /g, (found) => (found === " && " ? " || " : " && ")],
  [/\b(true|false)\b/g, (found) => (found === "true" ? "false" : "true")],
  [/(?<=[([{?:=,] ?|return )-(?=[\w(])/g, () => ""],
  [/(?<![\w.#])\d[\d_]*(\.\d+)?(e-?\d+)?(?![\w.])/g, (found) => String(Number(found.replaceAll("_", "")) + 1)],
  [
    /\bMath\.(floor|ceil|min|max)\b/g,
    (_, name) => `Math.${{ floor: "ceil", ceil: "floor", min: "max", max: "min" }[name]}`,
  ],
  [/^ +(await )?[\w.]+\(.*\);$/gm, () => ""],
];

/** The text with comments, strings and imports blanked out, so that only code is left. */
const codeOf = (/** @type {string} */ text) =>
  text.replace(/\/\*[\s\S]*?\*\/|\/\/.*|"(\\.|[^"\\\n])*"|`(\\.|[^`\\])*`|^(import|export) [^;=(]*;/gm, (found) =>
    found.replace(/[^\n]/g, " "),
  );

/** @param {string} file */
function* mutationsOf(file) {
  const text = readFileSync(file, "utf8");
  for (const [pattern, change] of operators) {
    for (const found of codeOf(text).matchAll(pattern)) {
      const end = found.index + found[0].length;
      const changed = text.slice(0, found.index) + change(...found) + text.slice(end);
      const row = text.slice(0, found.index).split("\n").length;
      const [was, is] = [text, changed].map((one) => (one.split("\n")[row - 1] ?? "").trim());
      if (!equivalent.some(([where, line]) => where === file && line === is))
        yield { file, text, changed, row, was, is };
    }
  }
}

/** Whether these tests fail; after ten minutes they count as failed. @param {readonly string[]} tests */
async function fail(tests) {
  const words = [join("node_modules", "vitest", "vitest.mjs"), "run", "--bail", "1", ...tests];
  const child = spawn(process.execPath, words, { cwd: copy, detached: true, stdio: "ignore" });
  // Kills Vitest's child processes too: one may be in an endless loop.
  const kill = () => child.pid && process.kill(-child.pid, "SIGKILL");
  const timer = setTimeout(kill, 600_000);
  process.on("exit", kill);
  const code = await new Promise((done) => child.on("exit", done));
  process.off("exit", kill);
  clearTimeout(timer);
  return code !== 0;
}

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    most: { type: "string", default: "60" },
    seed: { type: "string", default: "1" },
  },
});
process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const all = rooms.flatMap(({ folder, files = /./, first, second }) =>
  readdirSync(folder)
    .filter((name) => /(?<!\.test)\.ts$/.test(name) && files.test(name) && join(folder, name).startsWith(values.only))
    .flatMap((name) => [...mutationsOf(`${folder}/${name}`)].map((one) => ({ ...one, first, second }))),
);
// Knuth's multiplicative hash: spreads over all files, and the same seed picks the same mutations.
const drawn = all
  .map((one, i) => ({ ...one, rank: Math.imul(i + 1, 2654435761 + 2 * Number(values.seed)) >>> 0 }))
  .sort((a, b) => a.rank - b.rank)
  .slice(0, Number(values.most));

const copy = mkdtempSync(join(tmpdir(), "tiller-mutations-"));
process.on("exit", () => rmSync(copy, { recursive: true, force: true }));
process.on("SIGINT", () => process.exit(130));
for (const name of ["src", "test", "package.json", "tsconfig.json", "vitest.config.ts"]) {
  cpSync(name, join(copy, name), { recursive: true, filter: (from) => basename(from) !== "node_modules" });
}
for (const name of ["node_modules", "parity", "models", "fonts", "experiments", "results"])
  symlinkSync(join(process.cwd(), name), join(copy, name));

const tests = new Set(drawn.flatMap(({ first }) => first));
if (tests.size > 0 && (await fail([...tests]))) {
  console.error("the tests fail without any mutation");
  process.exit(2);
}
let survivors = 0;
for (const [i, { file, text, changed, row, was, is, first, second }] of drawn.entries()) {
  if (process.stderr.isTTY) process.stderr.write(`\r${i + 1} of ${drawn.length}`);
  writeFileSync(join(copy, file), changed);
  if (!(await fail(first)) && (second.length === 0 || !(await fail(second)))) {
    survivors++;
    console.log(`\r${file}:${row}\n  - ${was}\n  + ${is}`);
  }
  writeFileSync(join(copy, file), text);
}
console.log(`\r${drawn.length} of ${all.length} mutations tried, ${survivors} not caught by any test`);
process.exitCode = survivors > 0 ? 1 : 0;
