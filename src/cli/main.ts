#!/usr/bin/env node
/** The `tiller` command: ties the command line to this process. */
import { Pipeline, probeDevice, train } from "../index.ts";
import { refusal } from "../internal.ts";
import { endNow, interruptionOf } from "./interruption.ts";
import { run } from "./run.ts";

// What cannot be said is dropped, the work goes on. That the reader has gone (`tiller inspect … | head`) is no failure.
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
// What was written last may have failed a moment ago.
await new Promise((done) => process.stdout.write("", () => setImmediate(done)));
if (unsaid !== undefined) {
  process.exitCode ||= 1;
  process.stderr.write(`tiller: ${unsaid instanceof Error ? unsaid.message : unsaid}\n`);
}
// Interrupted while a model is loading, which cannot be stopped: what takes longer than this is not waited for.
if (process.exitCode === 130) setTimeout(() => endNow(process), 1000).unref();
