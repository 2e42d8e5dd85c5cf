/** One call of `tiller`, from its arguments to its exit code. */

import { inspect as show } from "node:util";
import { Command, CommanderError } from "commander";
import { TillerError, version } from "../index.ts";
import { addBench, bench } from "./bench.ts";
import { cost } from "./cost.ts";
import { addCuda, cuda } from "./cuda.ts";
import { addDemo, demo } from "./demo.ts";
import { addDoctor, doctor } from "./doctor.ts";
import { addEdit, edit } from "./edit.ts";
import { refuseEmpty } from "./empty-values.ts";
import { addEval, evaluate } from "./eval.ts";
import { findings } from "./findings.ts";
import { addGenerate, generate } from "./generate.ts";
import { addInspect, inspect } from "./inspect.ts";
import { addOpenVino, openVino } from "./openvino.ts";
import { type Output, startOutput } from "./output.ts";
import { printable } from "./printable.ts";
import { addQueue, queue } from "./queue.ts";
import { addStudio, studio } from "./studio.ts";
import { addStudy, study } from "./study.ts";
import { addSweep, sweep } from "./sweep.ts";
import { addTrain, train } from "./train.ts";
import { addTune, tune } from "./tune.ts";
import { addWorker, worker } from "./worker.ts";
import type { World } from "./world.ts";

export type ExitCode = 0 | 1 | 2 | 130;

/**
 * Runs the command in `argv` (without node and script). Never throws: an error is one sentence on standard error, and with
 * `--json` also in the object's `error`.
 *
 * @returns 0 success, 1 failure, 2 wrong usage, 130 interrupted.
 */
export async function run(argv: readonly string[], world: World): Promise<ExitCode> {
  const output = startOutput(world, argv.includes("--json"));
  let acted = false;
  const acting = async (act: () => Promise<void>) => {
    acted = true;
    await act();
  };
  const program = programFor(world, output, acting);
  const code = await program.parseAsync([...argv], { from: "user" }).then(
    () => 0 as const,
    (error: unknown) => told(error, argv, world, output),
  );
  output.progress.end();
  if (acted || code !== 0) output.printResult();
  return code;
}

/** Defines all commands; their actions are passed to `acting`. */
export function programFor(world: World, output: Output, acting: (act: () => Promise<void>) => Promise<void>): Command {
  const program = new Command("tiller");
  program
    .description("Personalise text-to-image diffusion models and steer them.")
    .version(version)
    .exitOverride()
    .hook("preAction", (_, command) => refuseEmpty(command))
    .configureOutput({
      writeOut: (text) => world.stdout.write(text),
      // Errors become one sentence below; anything else here is the help, printed when no command is given.
      writeErr: (text) => world.stderr.write(text),
      outputError: () => {},
    })
    .showSuggestionAfterError()
    .addHelpText(
      "after",
      `
Example:
  tiller generate --model ./sd15 --prompt "a red cat in the snow"

Exit codes: 0 success, 1 failure, 2 wrong usage, 130 interrupted.`,
    );
  addDemo(program, (concept, options) => acting(() => demo(concept, options, world, output)));
  addGenerate(program, (options) => acting(() => generate(options, world, output)));
  addEdit(program, (options) => acting(() => edit(options, world, output)));
  addSweep(program, (options) => acting(() => sweep(options, world, output)));
  addTrain(program, (method, options) => acting(() => train(method, options, world, output)));
  addTune(program, (options) => acting(() => tune(options, world, output)));
  addEval(program, (options) => acting(() => evaluate(options, world, output)));
  addBench(
    program,
    (verb, path, options) => acting(() => bench(verb, path, options, world, output)),
    (path, options) => acting(() => findings(path, options, world, output)),
    (options) => acting(() => cost(options, world, output)),
  );
  addWorker(program, (options) => acting(() => worker(options, world, output)));
  addQueue(program, (verb, ids, options) => acting(() => queue(verb, ids, options, output)));
  addStudio(program, (options) => acting(() => studio(options, world, output)));
  addStudy(program, (verb, path, options) => acting(() => study(verb, path, options, world, output)));
  addInspect(program, (files) => acting(() => inspect(files, output)));
  addOpenVino(program, (options) => acting(() => openVino(options, world, output)));
  addCuda(program, (options) => acting(() => cuda(options, world, output)));
  addDoctor(program, (options) => acting(() => doctor(options, world, output)));
  return program;
}

function told(error: unknown, argv: readonly string[], world: World, output: Output): ExitCode {
  output.progress.end();
  if (error instanceof CommanderError && (error.exitCode === 0 || error.code === "commander.help")) {
    return error.exitCode === 0 ? 0 : 2;
  }
  const { exitCode, code, message } = outcome(error, argv, world, output);
  output.result.error = { code, message, exitCode };
  world.stderr.write(`tiller: ${printable(message)}\n`);
  if (argv.includes("--verbose")) world.stderr.write(`${show(error)}\n`);
  return exitCode;
}

interface Outcome {
  readonly exitCode: ExitCode;
  /** A code of docs/errors.md; undefined for an interruption or a defect. */
  readonly code?: string;
  readonly message: string;
}

function outcome(error: unknown, argv: readonly string[], { signal }: World, output: Output): Outcome {
  if (error instanceof CommanderError)
    return { exitCode: 2, code: "option-invalid", message: callMessage(error, argv) };
  if (signal.aborted) {
    const { step, adapters } = output.result as { step?: number; adapters?: string[] };
    if (adapters) {
      return {
        exitCode: 130,
        message: `interrupted after step ${step}; saved: ${adapters.join(", ")}; continue with --resume.`,
      };
    }
    if (argv[0] === "bench" || argv[0] === "demo")
      return { exitCode: 130, message: "interrupted; finished parts are kept, and the same command continues." };
    const pictures = (output.result.pictures as unknown[] | undefined)?.length ?? 0;
    return {
      exitCode: 130,
      message: pictures === 0 ? "interrupted." : `interrupted; finished pictures in ${output.result.out}: ${pictures}.`,
    };
  }
  if (error instanceof TillerError) {
    return { exitCode: error.kind === "usage" ? 2 : 1, code: error.code, message: error.message };
  }
  const what = error instanceof Error ? error.message : String(error);
  const more = argv.includes("--verbose") ? "" : "; --verbose shows the stack trace";
  return { exitCode: 1, message: `this is a defect of Tiller: ${what}${more}.` };
}

/** Commander's message ("error: unknown option '--omgea'\n(Did you mean --omega?)") as a sentence. */
function callMessage({ message }: CommanderError, argv: readonly string[]): string {
  const [what = "", hint] = message.replace(/^error: /, "").split("\n");
  const command = argv.find((word) =>
    [
      "demo",
      "generate",
      "edit",
      "sweep",
      "train",
      "eval",
      "tune",
      "bench",
      "worker",
      "queue",
      "studio",
      "study",
      "inspect",
      "openvino",
      "cuda",
      "doctor",
    ].includes(word),
  );
  const help = `see tiller ${command === undefined ? "" : `${command} `}--help.`;
  const meant = /Did you mean (.*)\?/.exec(hint ?? "")?.[1];
  return `${what.replace(/\.$/, "")}: ${meant === undefined ? help : `did you mean ${meant}? Otherwise ${help}`}`;
}
