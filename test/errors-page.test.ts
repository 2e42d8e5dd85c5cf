import { expect, test } from "vitest";
import { errorGroups } from "../src/errors/index.ts";

/** docs/errors.md, generated from the tables of codes. */
function page(): string {
  const sections = Object.entries(errorGroups).map(([heading, rows]) => {
    const entries = Object.entries(rows).map(
      ([code, { kind, status, what, why, fix }]) =>
        `### ${code}\n\n${what} ${why}\n\n**What to do:** ${fix}\n\n` +
        `<sub>exit code ${kind === "usage" ? 2 : 1}, HTTP ${status ?? (kind === "usage" ? 400 : 422)}</sub>\n`,
    );
    return `## ${heading}\n\n${entries.join("\n")}`;
  });
  return `# Errors

    tiller generate --json --prompt "a cat" --model nowhere

Under \`--json\`, a command that fails prints \`{"error": {"code", "message", "exitCode"}}\`; the library throws a \`TillerError\` with
\`code\`, \`message\` and \`paths\`; Studio's HTTP API answers with \`code\` and \`error\`. The message says what is wrong, where, and what
to do. The codes below stay the same from version to version; wordings may change. Exit code 2, or HTTP 400, means that the call was wrong; 1, or
422, that something it needs is.

${sections.join("\n")}`;
}

test("docs/errors.md lists every code (vitest -u regenerates it)", async () => {
  await expect(page()).toMatchFileSnapshot("../docs/errors.md");
});
