/** What a command says: results on standard output, warnings and progress on standard error. */
import { type Progress, startProgress } from "./progress.ts";
import type { World } from "./world.ts";

export interface Output {
  readonly json: boolean;
  /** Filled by the command, printed once, under `--json`: when it ends, however it ends, or when it says so. */
  readonly result: Record<string, unknown>;
  /** What is printed in its place by a command that gives a list, unless it fails. */
  list: readonly object[] | undefined;
  printResult(): void;
  readonly progress: Progress;
  /** A line for a person; under `--json` not printed. */
  say(line: string): void;
  /** The same warning is given once. */
  warn(message: string): void;
}

export function startOutput(world: World, json: boolean): Output {
  const progress = startProgress(world);
  const warnings: string[] = [];
  const result: Record<string, unknown> = {};
  let printed = false;
  return {
    json,
    result,
    list: undefined,
    printResult() {
      const value = result.error === undefined && this.list ? this.list : result;
      if (json && !printed) world.stdout.write(`${JSON.stringify(value)}\n`);
      printed = true;
    },
    progress,
    say: (line) => {
      if (!json) world.stdout.write(`${line}\n`);
    },
    warn(message) {
      if (warnings.includes(message)) return;
      warnings.push(message);
      result.warnings = warnings;
      progress.note(`warning: ${message}`);
    },
  };
}
