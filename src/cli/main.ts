#!/usr/bin/env node
/** The `tiller` command: runs the command line in this process. */
import { Pipeline, probeDevice, train } from "../index.ts";
import { refusal } from "../internal.ts";
import { endNow, interruptionOf } from "./interruption.ts";
import { run } from "./run.ts";

// If output cannot be written, the work continues. A reader that has exited (`tiller inspect … | head`) is not a failure.
let unsaid: unknown;
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") unsaid ??= refusal(error, "standard output");
});
process.stderr.on("error", () => {});

process.exitCode = await run(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  signal: interruptionOf(process),
  loadPipeline: Pipeline.load,
  train,
  probeDevice,
});
// Wait: the last write may still fail.
await new Promise((done) => process.stdout.write("", () => setImmediate(done)));
if (unsaid !== undefined) {
  process.exitCode ||= 1;
  process.stderr.write(`tiller: ${unsaid instanceof Error ? unsaid.message : unsaid}\n`);
}
// Loading a model cannot be aborted: after an interruption, wait for it no longer than this.
if (process.exitCode === 130) setTimeout(() => endNow(process), 1000).unref();
