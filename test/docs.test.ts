import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { startOutput } from "../src/cli/output.ts";
import { programFor } from "../src/cli/run.ts";
import type { World } from "../src/cli/world.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const pages = [
  ...["README.md", "CONTRIBUTING.md", "SECURITY.md", "results/README.md"],
  ...readdirSync(join(root, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];
const textOf = (page: string) => readFileSync(join(root, page), "utf8");

/** Code blocks, fenced or indented, with their language; indented blocks are shell. */
function codeOf(text: string): { readonly language: string; readonly code: string }[] {
  const fenced = [...text.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(([, language, code]) => ({
    language: language!,
    code: code!,
  }));
  const unfenced = text.replace(/^```.*?^```$/gms, "");
  const indented = [...unfenced.matchAll(/(?<=^\n)(?: {4}.*\n?)+/gm)].map(([block]) => ({
    language: "sh",
    code: block.replace(/^ {4}/gm, ""),
  }));
  return [...fenced, ...indented];
}

/** A heading's anchor, as on GitHub. */
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, "")
    .trim()
    .replaceAll(" ", "-");

const anchorsOf = (page: string) => [...textOf(page).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => anchorOf(heading!));

test("README has at most 900 words", () => {
  // Without what its numbers are made from.
  const shown = textOf("README.md").replace(/<!--.*?-->/gs, "");
  expect(shown.split(/\s+/).length).toBeLessThanOrEqual(900);
});

test.each(pages)("the links of %s are valid", (page) => {
  const text = textOf(page).replace(/^```.*?^```$/gms, "");
  const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link!);
  const broken = links.filter((link) => {
    if (/^https?:/.test(link)) return false;
    const [path, anchor] = link.split("#") as [string, string?];
    const target = path === "" ? page : join(dirname(page), path);
    if (!existsSync(join(root, target))) return true;
    return anchor !== undefined && !anchorsOf(target).includes(anchor);
  });
  expect(broken).toEqual([]);
});

test.each(pages.filter((page) => page.startsWith("docs/")))("%s begins with a command", (page) => {
  expect(textOf(page)).toMatch(/^# .+\n\n {4}\S/);
});

/** Words of a command line, without quotes. */
const wordsOf = (command: string) =>
  [...command.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, double, single, plain]) => double ?? single ?? plain!);

const world: World = {
  stdout: process.stdout,
  stderr: process.stderr,
  signal: new AbortController().signal,
} as unknown as World;

const commands = pages.flatMap((page) =>
  codeOf(textOf(page))
    .filter(({ language }) => language === "sh")
    .flatMap(({ code }) => code.replace(/\\\n\s*/g, " ").split("\n"))
    .filter((line) => /^(npx )?tiller /.test(line))
    .map((line) => [page, line.replace(/^npx /, "").replace(/\s{2,}#? ?.*$/, "")] as const),
);

test.each(commands)("%s: %s is a valid command", async (_, line) => {
  let taken = 0;
  const output = startOutput(world, false);
  const program = programFor(world, output, async () => void taken++);
  await program.parseAsync(wordsOf(line).slice(1), { from: "user" });
  expect(taken).toBe(1);
});

test("the TypeScript in the pages compiles against the package", async () => {
  const folder = mkdtempSync(join(root, ".docs-"));
  try {
    const samples = pages.flatMap((page) => codeOf(textOf(page)).filter(({ language }) => /^tsx?$/.test(language)));
    expect(samples.length).toBeGreaterThan(0);
    for (const [i, { code }] of samples.entries())
      writeFileSync(join(folder, `sample-${i}.ts`), `${code}\nexport {};\n`);
    const config = {
      compilerOptions: {
        module: "nodenext",
        target: "es2023",
        strict: true,
        noEmit: true,
        skipLibCheck: true,
        types: ["node"],
      },
      include: ["*.ts"],
    };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
    const tsc = join(root, "node_modules/typescript/bin/tsc");
    const run = promisify(execFile)(process.execPath, [tsc, "-p", folder]);
    await run.catch(({ stdout }: { stdout: string }) => expect(stdout).toBe(""));
  } finally {
    rmSync(folder, { recursive: true });
  }
});
