/** A command's output: results on standard output, warnings and progress on standard error. */
import { type Progress, startProgress } from "./progress.ts";
import type { World } from "./world.ts";

export interface Output {
  readonly json: boolean;
  /** Filled by the command; with `--json` printed once, when the command ends in any way or prints it itself. */
  readonly result: Record<string, unknown>;
  /** Printed instead by a command that returns a list, unless it fails. */
  list: readonly object[] | undefined;
  printResult(): void;
  readonly progress: Progress;
  /** Prints a line, except with `--json`. */
  say(line: string): void;
  /** Prints a warning, the same one only once. */
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
