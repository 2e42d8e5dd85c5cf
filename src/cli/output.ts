/** What a command says: results on standard output, warnings and progress on standard error. */
import { type Progress, startProgress } from "./progress.ts";
import type { World } from "./world.ts";

export interface Output {
  readonly json: boolean;
  /** Filled by the command, printed once when it ends, under `--json`, however it ends. */
  readonly result: Record<string, unknown>;
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
  return {
    json,
    result,
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
